"""The port against moto's server: real requests over HTTP, validated by boto3's service model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import boto3
import pytest
from botocore.config import Config
from emr.service import DAY, EMR, PRODUCTION, Waiting
from ledgerlake.config.environment import Environment
from ledgerlake.emr.client import BotoEmrServerless, parse_job_run, service_error
from ledgerlake.emr.cost import Utilization, cost_usd
from ledgerlake.emr.submit import submit
from ledgerlake.errors import ConfigError, LedgerlakeError, NotFoundError, TerminalError, TransientError
from moto.server import ThreadedMotoServer


def boto_client(endpoint: str) -> object:
    return boto3.client(
        "emr-serverless", region_name="us-east-1", endpoint_url=endpoint,
        aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}, connect_timeout=2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield boto_client(f"http://{host}:{port}")
    server.stop()


@pytest.fixture
def application(client: object) -> Environment:
    """Return an environment whose application exists and is started."""
    made = client.create_application(name="finance", releaseLabel="emr-7.13.0", type="SPARK")  # type: ignore[attr-defined]
    client.start_application(applicationId=made["applicationId"])  # type: ignore[attr-defined]
    emr = EMR.model_copy(update={"application_id": made["applicationId"]})
    return PRODUCTION.model_copy(update={"emr": emr})


def test_a_submitted_job_is_the_one_that_was_asked_for(client: object, application: Environment) -> None:
    waiting = Waiting()

    done = submit(application, DAY, BotoEmrServerless(client), waiting.clock, waiting.pause)

    assert application.emr is not None
    kept = client.get_job_run(applicationId=application.emr.application_id, jobRunId=done.job_run_id)["jobRun"]  # type: ignore[attr-defined]
    assert done.state == "SUCCESS"
    assert kept["name"] == "ledgerlake run ledgerbox --date 2026-03-02"
    assert kept["executionRole"] == EMR.execution_role
    assert kept["jobDriver"]["sparkSubmit"]["entryPoint"].endswith("/jobs/run.py")
    assert kept["tags"]["pipeline"] == "ledgerbox"


def test_a_backfill_in_a_new_generation_is_accepted_too(client: object, application: Environment) -> None:
    waiting = Waiting()
    again = replace(DAY, generation=2)

    assert submit(application, again, BotoEmrServerless(client), waiting.clock, waiting.pause).has_ended


def test_a_job_can_be_cancelled(client: object, application: Environment) -> None:
    waiting, port = Waiting(), BotoEmrServerless(client)
    assert application.emr is not None
    started = submit(application, DAY, port, waiting.clock, waiting.pause, wait=False)

    port.cancel_job_run(application.emr.application_id, started.job_run_id)

    assert port.get_job_run(application.emr.application_id, started.job_run_id).state in ("CANCELLING", "CANCELLED")


def test_an_unknown_application_is_not_found(client: object) -> None:
    waiting = Waiting()

    with pytest.raises(NotFoundError, match="application_id"):
        submit(PRODUCTION, DAY, BotoEmrServerless(client), waiting.clock, waiting.pause)


def test_a_service_that_cannot_be_reached_is_transient() -> None:
    waiting = Waiting()

    with pytest.raises(TransientError, match="start_job_run"):
        submit(PRODUCTION, DAY, BotoEmrServerless(boto_client("http://127.0.0.1:9")), waiting.clock, waiting.pause)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", TransientError),
        ("InternalServerException", TransientError),
        ("ConflictException", TerminalError),
        ("ResourceNotFoundException", NotFoundError),
        ("ValidationException", ConfigError),
        ("AccessDeniedException", ConfigError),
        ("SomethingNew", TerminalError),
    ],
)
def test_error_answers_are_sorted_by_what_helps(code: str, kind: type[LedgerlakeError]) -> None:
    error = service_error("start_job_run", {"Code": code, "Message": "because"})

    assert type(error) is kind
    assert code in str(error)
    assert "because" in str(error)


def test_a_state_that_nobody_knows_stops_instead_of_waiting_for_ever() -> None:
    with pytest.raises(TerminalError, match="'DREAMING'"):
        parse_job_run({"jobRunId": "job1", "state": "DREAMING"})


def test_what_was_billed_has_a_price() -> None:
    answer = {
        "jobRunId": "job1", "state": "SUCCESS",
        "billedResourceUtilization": {"vCPUHour": 1.5, "memoryGBHour": 6.0, "storageGBHour": 20.0},
    }  # fmt: skip

    billed = parse_job_run(answer).billed

    assert billed == Utilization(Decimal("1.5"), Decimal("6.0"), Decimal("20.0"))
    assert cost_usd(billed) == Decimal("0.1158")  # 1.5 × 0.052624 + 6 × 0.0057785 + 20 × 0.000111
    assert cost_usd(Utilization()) == 0
