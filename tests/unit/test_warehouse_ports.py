"""How a pipeline's declaration reaches the warehouse: the run in the query tag, a stage of its own with its address."""

from __future__ import annotations

import pytest
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Target
from ledgerlake.errors import TransientError
from ledgerlake.ops.warehouse import Publisher, Warehouse, target_of
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.ports.snowflake import Connect
from pydantic import ValidationError

ENVIRONMENT = Environment(environment="e", lake="lake", sources="sources")
DECLARED = {"database": "FIN", "schema": "S", "bi_schema": "B"}


class Asked(Warehouse):
    """A warehouse that keeps for which runs it was opened."""

    runs: list[str]

    def connect(self, run_id: str = "") -> Connect:
        self.runs.append(run_id)
        raise TransientError("no warehouse here")


def test_a_publication_is_sent_in_a_session_that_names_its_run() -> None:
    warehouse = Asked(ENVIRONMENT, ReferencedSecrets({}), "shop")
    warehouse.runs = []

    with pytest.raises(TransientError):
        Publisher(warehouse, Target.model_validate(DECLARED), SystemClock()).newest("shop", "run-1")

    assert warehouse.runs == ["run-1"]


def test_an_external_stage_is_declared_with_the_address_below_which_it_reads() -> None:
    stage = {"name": "FIN.S.LANDED", "url": "s3://bucket/lake"}

    target = target_of(Target.model_validate(DECLARED | {"external_stage": stage}))

    assert (target.external_stage, target.external_stage_url) == ("FIN.S.LANDED", "s3://bucket/lake")
    assert target_of(Target.model_validate(DECLARED)).external_stage is None


@pytest.mark.parametrize("stage", ["FIN.S.LANDED", {"name": "FIN.S.LANDED"}, {"name": "X", "url": "/lake"}])
def test_a_stage_without_an_address_is_refused(stage: object) -> None:
    with pytest.raises(ValidationError):
        Target.model_validate(DECLARED | {"external_stage": stage})
