"""Submission to EMR Serverless from the command line: the job, its states, its cost."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from ledgerlake.cli.context import Context
from ledgerlake.emr.client import JobRun, open_client
from ledgerlake.emr.cost import cost_usd
from ledgerlake.emr.request import Job, settings_of
from ledgerlake.emr.submit import submit as submit_job


def submit(own: Context, pipeline: str, dates: tuple[date, date], generation: int, wait: bool) -> dict[str, Any]:
    """Submit (or find) the job for ``dates`` and return its facts; states are told on the way."""
    environment = own.environment()
    emr = settings_of(environment)
    job = Job(pipeline, *dates, own.pipeline(pipeline).fingerprint, generation)

    def told(run: JobRun) -> None:
        if not own.as_json:
            own.errors.print(f"  {run.job_run_id} {run.state}")

    done = submit_job(environment, job, open_client(emr.region), own.clock, time.sleep, wait=wait, told=told)
    return {
        "job_run_id": done.job_run_id,
        "application_id": emr.application_id,
        "state": done.state,
        "arguments": [job.command, *job.arguments],
        "cost_usd": cost_usd(done.billed),
    }
