"""A stand-in for EMR Serverless that honours client tokens and walks through states, as moto does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ledgerlake.config.environment import EmrSettings, Environment
from ledgerlake.emr.client import JobRun
from ledgerlake.emr.request import Job
from ledgerlake.errors import LedgerlakeError, NotFoundError
from ledgerlake.ports.clock import FixedClock

EMR = EmrSettings(
    application_id="00abc",
    execution_role="arn:aws:iam::123456789012:role/job",
    package_uri="s3://code/ledgerlake/1/",
    log_uri="s3://logs/ledgerlake/",
    timeout_minutes=30,
    max_attempts=2,
    settings={"spark.executor.memory": "8g"},
)
PRODUCTION = Environment(environment="production", lake="s3://lake/x", sources="s3://landing", emr=EMR)
DAY = Job("ledgerbox", date(2026, 3, 2), date(2026, 3, 2), "config-1")


@dataclass
class Service:
    """Each job goes through ``states``; a ``LedgerlakeError`` among them is raised by that look."""

    states: Sequence[str | LedgerlakeError] = ("SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "SUCCESS")
    details: str = ""
    requests: list[Mapping[str, Any]] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)  # client token → job run id
    looks: dict[str, int] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    def start_job_run(self, request: Mapping[str, Any]) -> str:
        """Start a job unless its token is known."""
        self.requests.append(request)
        return self.jobs.setdefault(request["clientToken"], f"job{len(self.jobs) + 1}")

    def get_job_run(self, application_id: str, job_run_id: str) -> JobRun:
        """Move the job one state on."""
        if application_id != EMR.application_id or job_run_id not in self.jobs.values():
            raise NotFoundError("no such job run")
        if job_run_id in self.cancelled:
            return JobRun(job_run_id, "CANCELLED")
        look = self.looks.get(job_run_id, 0)
        self.looks[job_run_id] = look + 1
        state = self.states[min(look, len(self.states) - 1)]
        if isinstance(state, LedgerlakeError):
            raise state
        return JobRun(job_run_id, state, self.details)

    def cancel_job_run(self, application_id: str, job_run_id: str) -> None:
        """Cancel at once."""
        self.cancelled.add(job_run_id)


@dataclass
class Waiting:
    """A clock that moves only while somebody pauses on it."""

    clock: FixedClock = field(default_factory=lambda: FixedClock(datetime(2026, 3, 3, 6, tzinfo=UTC)))
    pauses_s: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses_s.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))
