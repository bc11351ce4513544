"""The warehouse of an environment, opened when first needed: real Snowflake, or the local server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Target as DeclaredTarget
from ledgerlake.demo.local_snowflake import LocalSnowflake
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.secrets import Secrets
from ledgerlake.ports.snowflake import Connect, SnowflakeSettings, connector
from ledgerlake.publish.model import LedgerRow, Publication, PublishOutcome, Target
from ledgerlake.publish.publisher import SnowflakePublisher


class Warehouse:
    """Connects on demand; the local server runs from the first use until :meth:`close`."""

    def __init__(self, environment: Environment, secrets: Secrets, purpose: str) -> None:
        self._environment, self._secrets, self._purpose = environment, secrets, purpose
        self._local: LocalSnowflake | None = None

    def warm_up(self) -> None:
        """Start the local server in the background, so that it is ready when needed."""
        if self._environment.snowflake == "local" and self._local is None:
            folder = self._environment.snowflake_folder or f"{self._environment.lake}/../snowflake"
            self._local = LocalSnowflake(Path(folder))
            self._local.start()

    def connect(self, run_id: str = "") -> Connect:
        """Return the function that opens a session; its query tag names the purpose and the run."""
        settings = self._environment.snowflake
        if isinstance(settings, SnowflakeSettings):
            return connector(settings.parameters(self._secrets, pipeline=self._purpose, run_id=run_id))
        self.warm_up()
        assert self._local is not None, "warm_up has just started it"
        return connector(self._local.parameters())

    def close(self) -> None:
        """Stop the local server, if it was started."""
        if self._local:
            self._local.stop()
            self._local = None


@contextmanager
def open_warehouse(environment: Environment, secrets: Secrets, purpose: str) -> Iterator[Warehouse]:
    """Give the environment's warehouse inside the block."""
    warehouse = Warehouse(environment, secrets, purpose)
    try:
        yield warehouse
    finally:
        warehouse.close()


def target_of(declared: DeclaredTarget) -> Target:
    """Return a declared target as the publisher knows it."""
    stage = declared.external_stage
    return Target(
        declared.database, declared.schema_name, declared.bi_schema,
        external_stage=stage.name if stage else None, external_stage_url=stage.url if stage else "",
    )  # fmt: skip


class Publisher:
    """Publishes through a warehouse that is opened with the first publication."""

    def __init__(self, warehouse: Warehouse, declared: DeclaredTarget, clock: Clock) -> None:
        self._warehouse, self._clock = warehouse, clock
        self._target = target_of(declared)

    def newest(self, pipeline: str, run_id: str) -> LedgerRow | None:
        """Return what the pipeline's readers are given now."""
        return self._publisher(run_id).newest(pipeline)

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        """Send one publication."""
        return self._publisher(publication.run_id).publish(publication, may_commit)

    def _publisher(self, run_id: str) -> SnowflakePublisher:
        return SnowflakePublisher(self._warehouse.connect(run_id), self._target, self._clock)
