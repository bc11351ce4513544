"""EMR Serverless as a port: start, look at and cancel job runs; errors are sorted by retry policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ledgerlake.emr.cost import Utilization
from ledgerlake.errors import ConfigError, LedgerlakeError, NotFoundError, TerminalError, TransientError

ENDED = frozenset({"SUCCESS", "FAILED", "CANCELLED"})
STATES = ENDED | {"SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "CANCELLING"}
_REFUSED = ("ValidationException", "AccessDeniedException", "UnrecognizedClientException")
_PASSING = (
    "ThrottlingException", "TooManyRequestsException", "InternalServerException", "ServiceUnavailableException",
    "RequestTimeout", "RequestTimeoutException",
)  # fmt: skip


@dataclass(frozen=True)
class JobRun:
    """A job run as the service sees it; ``billed`` is known once it has ended."""

    job_run_id: str
    state: str
    details: str = ""
    attempt: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    billed: Utilization = field(default_factory=Utilization)

    @property
    def has_ended(self) -> bool:
        """Say whether the state is final."""
        return self.state in ENDED


class EmrServerless(Protocol):
    """The three calls used; each raises errors of ``ledgerlake.errors`` only."""

    def start_job_run(self, request: Mapping[str, Any]) -> str:
        """Start a job, or return the one that was started with the same ``clientToken``."""
        ...

    def get_job_run(self, application_id: str, job_run_id: str) -> JobRun:
        """Return the job's present state."""
        ...

    def cancel_job_run(self, application_id: str, job_run_id: str) -> None:
        """Ask the service to end the job."""
        ...


class BotoEmrServerless:
    """The port through a boto3 client of ``emr-serverless``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start_job_run(self, request: Mapping[str, Any]) -> str:
        """Send ``StartJobRun``."""
        return str(self._call("start_job_run", **request)["jobRunId"])

    def get_job_run(self, application_id: str, job_run_id: str) -> JobRun:
        """Send ``GetJobRun``."""
        answer = self._call("get_job_run", applicationId=application_id, jobRunId=job_run_id)
        return parse_job_run(answer["jobRun"])

    def cancel_job_run(self, application_id: str, job_run_id: str) -> None:
        """Send ``CancelJobRun``."""
        self._call("cancel_job_run", applicationId=application_id, jobRunId=job_run_id)

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise service_error(operation, error.response["Error"]) from error
        except BotoCoreError as error:
            raise _sending_error(operation, error) from error


def open_client(region: str) -> BotoEmrServerless:
    """Return the port to the service in ``region``, with the machine's AWS credentials."""
    import boto3

    return BotoEmrServerless(boto3.client("emr-serverless", region_name=region))


def parse_job_run(answer: Mapping[str, Any]) -> JobRun:
    """Read the ``jobRun`` of a ``GetJobRun`` answer; raise :class:`TerminalError` for an unknown state."""
    state = str(answer["state"])
    if state not in STATES:
        # waiting for ever on a state nobody knows would hide it
        raise TerminalError(f"EMR Serverless reports the unknown state {state!r}", then="upgrade ledgerlake")
    return JobRun(
        job_run_id=str(answer["jobRunId"]),
        state=state,
        details=str(answer.get("stateDetails") or ""),
        attempt=int(answer.get("attempt") or 1),
        started_at=answer.get("startedAt"),
        ended_at=answer.get("endedAt"),
        billed=Utilization.parse(answer.get("billedResourceUtilization") or {}),
    )


def service_error(operation: str, error: Mapping[str, Any]) -> LedgerlakeError:
    """Translate an error answer of the service (its ``Code`` and ``Message``)."""
    code = str(error.get("Code", "unknown"))
    what = f"EMR Serverless answered {code} to {operation}: {error.get('Message', '')}".rstrip(": ")
    if code in _PASSING:
        return TransientError(what, then="run the same command again")
    if code == "ConflictException":
        then = "the same day was submitted before with other settings; submit it with a higher --attempt"
        return TerminalError(what, then=then)
    if code == "ResourceNotFoundException":
        return NotFoundError(what, then="check emr.application_id and emr.region of the environment")
    if code in _REFUSED:
        return ConfigError(what, then="check the environment's emr section and your AWS permissions (emr/README.md)")
    return TerminalError(what, then="look the code up in the EMR Serverless API reference")


def _sending_error(operation: str, error: Exception) -> LedgerlakeError:
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.exceptions import HTTPClientError

    what = f"{operation} could not be sent to EMR Serverless: {type(error).__name__}"
    if isinstance(error, (Unreachable, HTTPClientError)):
        return TransientError(what, then="check the network and run the same command again")
    return ConfigError(f"{what}: {error}", then="check the AWS credentials and the environment's emr section")
