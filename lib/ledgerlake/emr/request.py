"""What is asked of EMR Serverless for one run: the ``StartJobRun`` request, and nothing sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from ledgerlake.config.environment import EmrSettings, Environment
from ledgerlake.core.identity import fingerprint
from ledgerlake.errors import ConfigError

# On the image of the release; everything else of ledgerlake's comes in the package (emr/package.sh).
DELTA_JARS = ("/usr/share/aws/delta/lib/delta-spark.jar", "/usr/share/aws/delta/lib/delta-storage.jar")
PACKAGE_JARS = ("org.postgresql_postgresql-42.7.4.jar",)
PYTHON = "./environment/bin/python"


@dataclass(frozen=True)
class Job:
    """One pipeline on one date or range of dates, to be run as a job.

    ``generation`` is raised to have dates run again that EMR Serverless has already run.
    """

    pipeline: str
    first: date
    last: date
    config_fingerprint: str
    generation: int = 1

    @property
    def command(self) -> str:
        """Return the command of the CLI, which is also the name of the entry point."""
        return "run" if self.first == self.last else "backfill"

    @property
    def arguments(self) -> list[str]:
        """Return the command's arguments."""
        if self.command == "run":
            return [self.pipeline, "--date", self.first.isoformat()]
        return [self.pipeline, "--from", self.first.isoformat(), "--to", self.last.isoformat()]

    @property
    def client_token(self) -> str:
        """Return the idempotency token: the same job submitted twice is one job.

        The generation is part of it, or a failed day could never be submitted again.
        """
        dates = [self.first.isoformat(), self.last.isoformat()]
        return fingerprint([self.pipeline, *dates, self.config_fingerprint, self.generation])


def settings_of(environment: Environment) -> EmrSettings:
    """Return the environment's EMR settings; raise :class:`ConfigError` where there are none."""
    if environment.emr is None:
        name = environment.environment
        raise ConfigError(f"environment {name!r} has no emr section", then="choose one that has: --env emr")
    return environment.emr


def start_request(environment: Environment, job: Job) -> dict[str, Any]:
    """Return the ``StartJobRun`` request for ``job``."""
    emr = settings_of(environment)
    package = emr.package_uri.rstrip("/")
    return {
        "applicationId": emr.application_id,
        "clientToken": job.client_token,
        "executionRoleArn": emr.execution_role,
        "name": f"ledgerlake {job.command} {' '.join(job.arguments)}"[:256],
        "mode": "BATCH",
        "executionTimeoutMinutes": emr.timeout_minutes,
        # the service starts the whole job again; runs are resumable, so that costs little
        "retryPolicy": {"maxAttempts": emr.max_attempts},
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": f"{package}/jobs/{job.command}.py",
                "entryPointArguments": job.arguments,
                "sparkSubmitParameters": _submit_parameters(environment.environment, package, emr),
            }
        },
        "configurationOverrides": {
            "monitoringConfiguration": {
                "s3MonitoringConfiguration": {"logUri": emr.log_uri},
                "managedPersistenceMonitoringConfiguration": {"enabled": True},
            }
        },
        "tags": {
            "app": "ledgerlake", "environment": environment.environment, "pipeline": job.pipeline,
            "generation": str(job.generation),
        },
    }  # fmt: skip


def _submit_parameters(environment: str, package: str, emr: EmrSettings) -> str:
    """Return the ``--conf`` arguments; the session adds Delta's extension and catalog itself."""
    driver = "spark.emr-serverless.driverEnv"
    settings = {
        "spark.jars": ",".join([*DELTA_JARS, *(f"{package}/jars/{name}" for name in PACKAGE_JARS)]),
        "spark.archives": f"{package}/environment.tar.gz#environment,{package}/project.tar.gz#project",
        f"{driver}.PYSPARK_DRIVER_PYTHON": PYTHON,
        f"{driver}.PYSPARK_PYTHON": PYTHON,
        "spark.executorEnv.PYSPARK_PYTHON": PYTHON,
        f"{driver}.LEDGERLAKE_ENV": environment,
        f"{driver}.LEDGERLAKE_PROJECT": "project",
        "spark.speculation": "false",
    } | emr.settings
    return " ".join(f"--conf {_word(f'{key}={value}')}" for key, value in settings.items())


def _word(text: str) -> str:
    """Quote only what a blank would split: the service's examples leave all else bare."""
    return f'"{text}"' if " " in text else text
