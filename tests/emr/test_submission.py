"""Submitting: one token is one job, every state is followed, each ending has its own type."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from emr.service import DAY, EMR, PRODUCTION, Service, Waiting
from ledgerlake.emr.client import JobRun
from ledgerlake.emr.request import Job
from ledgerlake.emr.submit import POLL_S_MAX, follow, submit
from ledgerlake.errors import ConfigError, NotFoundError, TerminalError, TransientError


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_a_job_is_followed_through_every_state_to_its_success(waiting: Waiting) -> None:
    heard: list[str] = []

    done = submit(PRODUCTION, DAY, Service(), waiting.clock, waiting.pause, told=lambda run: heard.append(run.state))

    assert done == JobRun("job1", "SUCCESS")
    assert heard == ["SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "SUCCESS"]


def test_a_state_that_lasts_is_told_once_and_looked_at_ever_less_often(waiting: Waiting) -> None:
    heard: list[str] = []
    service = Service(states=["RUNNING"] * 20 + ["SUCCESS"])

    submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause, told=lambda run: heard.append(run.state))

    assert heard == ["RUNNING", "SUCCESS"]
    assert waiting.pauses_s == sorted(waiting.pauses_s)
    assert waiting.pauses_s[-1] == POLL_S_MAX


def test_the_same_day_submitted_twice_is_one_job(waiting: Waiting) -> None:
    service = Service()

    first = submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause)
    second = submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause)

    assert first.job_run_id == second.job_run_id


@pytest.mark.parametrize(
    "other",
    [
        replace(DAY, generation=2),
        replace(DAY, config_fingerprint="config-2"),
        replace(DAY, pipeline="shop"),
        replace(DAY, last=date(2026, 3, 5)),
    ],
    ids=["a new generation", "a changed configuration", "another pipeline", "another range"],
)
def test_what_differs_is_a_job_of_its_own(waiting: Waiting, other: Job) -> None:
    service = Service()

    submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause)
    submit(PRODUCTION, other, service, waiting.clock, waiting.pause)

    assert len(service.jobs) == 2


def test_a_failed_job_tells_its_details_and_where_its_log_is(waiting: Waiting) -> None:
    service = Service(states=["RUNNING", "FAILED"], details="driver exited with 4")

    with pytest.raises(TerminalError) as failure:
        submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause)

    assert "driver exited with 4" in str(failure.value)
    assert "s3://logs/ledgerlake/applications/00abc/jobs/job1/" in failure.value.then
    assert "--attempt" in failure.value.then


def test_a_job_cancelled_by_somebody_else_is_no_success(waiting: Waiting) -> None:
    service = Service(states=["RUNNING", "CANCELLING", "CANCELLED"])

    with pytest.raises(TerminalError, match="CANCELLED"):
        submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause)


def test_without_waiting_the_job_is_left_to_run(waiting: Waiting) -> None:
    started = submit(PRODUCTION, DAY, Service(), waiting.clock, waiting.pause, wait=False)

    assert started.state == "SUBMITTED"
    assert waiting.pauses_s == []


def test_throttled_looks_do_not_abandon_a_job(waiting: Waiting) -> None:
    throttled = TransientError("throttled")
    service = Service(states=["RUNNING", throttled, throttled, throttled, "SUCCESS"])

    assert submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause).state == "SUCCESS"


def test_a_service_that_stays_away_is_a_transient_error(waiting: Waiting) -> None:
    service = Service(states=["RUNNING", TransientError("unreachable")])

    with pytest.raises(TransientError, match="unreachable"):
        submit(PRODUCTION, DAY, service, waiting.clock, waiting.pause)


def test_a_job_that_outlasts_every_attempt_is_not_followed_for_ever(waiting: Waiting) -> None:
    with pytest.raises(TransientError, match="still RUNNING"):
        submit(PRODUCTION, DAY, Service(states=["RUNNING"]), waiting.clock, waiting.pause)

    assert sum(waiting.pauses_s) < (EMR.timeout_minutes * EMR.max_attempts + 62) * 60


def test_a_job_that_is_not_there_is_said_so(waiting: Waiting) -> None:
    with pytest.raises(NotFoundError):
        follow(EMR, "job9", Service(), waiting.clock, waiting.pause)


def test_an_environment_without_emr_is_refused_before_anything_is_sent(waiting: Waiting) -> None:
    service = Service()

    with pytest.raises(ConfigError, match="no emr section"):
        submit(PRODUCTION.model_copy(update={"emr": None}), DAY, service, waiting.clock, waiting.pause)

    assert service.requests == []
