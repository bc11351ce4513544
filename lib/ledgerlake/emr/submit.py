"""Starts a job and follows it to its end; ending it is the job's own affair, or ``cancel_job_run``'s."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from ledgerlake.config.environment import EmrSettings, Environment
from ledgerlake.emr.client import EmrServerless, JobRun
from ledgerlake.emr.request import Job, settings_of, start_request
from ledgerlake.errors import TerminalError, TransientError
from ledgerlake.ports.clock import Clock

POLL_S_MIN, POLL_S_MAX = 5.0, 60.0
QUEUED_MINUTES_MAX = 60  # how long a job may wait for capacity before following it is given up
_FAILED_LOOKS_MAX = 5  # in a row; one throttled call must not abandon a job of an hour

Told = Callable[[JobRun], None]
Pause = Callable[[float], None]


def submit(
    environment: Environment,
    job: Job,
    client: EmrServerless,
    clock: Clock,
    pause: Pause,
    *,
    wait: bool = True,
    told: Told = lambda _: None,
) -> JobRun:
    """Start ``job`` (or find the one already started) and return its run; ``told`` hears every new state.

    With ``wait`` raises :class:`TerminalError` where the job fails or is cancelled and
    :class:`TransientError` where it outlasts every attempt's time.
    """
    emr = settings_of(environment)
    job_run_id = client.start_job_run(start_request(environment, job))
    if not wait:
        return client.get_job_run(emr.application_id, job_run_id)
    return follow(emr, job_run_id, client, clock, pause, told=told)


def follow(
    emr: EmrSettings,
    job_run_id: str,
    client: EmrServerless,
    clock: Clock,
    pause: Pause,
    *,
    told: Told = lambda _: None,
) -> JobRun:
    """Look at the job, ever less often, until it has succeeded; raise as :func:`submit` does."""
    deadline = clock.now() + timedelta(minutes=emr.timeout_minutes * emr.max_attempts + QUEUED_MINUTES_MAX)
    seen, pause_s = "", POLL_S_MIN
    while True:
        job_run = _look(emr, job_run_id, client, pause)
        if (shown := f"{job_run.state} {job_run.attempt}") != seen:
            seen = shown
            told(job_run)
        if job_run.has_ended:
            return _succeeded(emr, job_run)
        if clock.now() >= deadline:
            raise TransientError(
                f"job run {job_run_id} is still {job_run.state}",
                then="run the same command again to follow it, or cancel it",
            )
        pause(pause_s)
        pause_s = min(pause_s * 1.5, POLL_S_MAX)


def _look(emr: EmrSettings, job_run_id: str, client: EmrServerless, pause: Pause) -> JobRun:
    for _ in range(_FAILED_LOOKS_MAX - 1):
        try:
            return client.get_job_run(emr.application_id, job_run_id)
        except TransientError:
            pause(POLL_S_MAX)
    return client.get_job_run(emr.application_id, job_run_id)


def _succeeded(emr: EmrSettings, job_run: JobRun) -> JobRun:
    if job_run.state == "SUCCESS":
        return job_run
    logs = f"{emr.log_uri.rstrip('/')}/applications/{emr.application_id}/jobs/{job_run.job_run_id}/"
    raise TerminalError(
        f"job run {job_run.job_run_id} ended {job_run.state} in attempt {job_run.attempt}: {job_run.details}".rstrip(
            ": "
        ),
        then=f"read the driver's log below {logs}; after the repair submit with a higher --attempt",
    )
