"""The request: what EMR Serverless is told, as its users would read it in the console."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import date
from typing import Any

from emr.service import DAY, PRODUCTION
from ledgerlake.emr.request import start_request

RANGE = replace(DAY, last=date(2026, 3, 31))


def settings_of(request: dict[str, Any]) -> dict[str, str]:
    words = shlex.split(request["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"])
    assert words[::2] == ["--conf"] * (len(words) // 2)
    return dict(word.split("=", 1) for word in words[1::2])


def test_one_date_runs_and_a_range_backfills() -> None:
    run, backfill = start_request(PRODUCTION, DAY), start_request(PRODUCTION, RANGE)

    assert run["jobDriver"]["sparkSubmit"]["entryPoint"] == "s3://code/ledgerlake/1/jobs/run.py"
    assert run["jobDriver"]["sparkSubmit"]["entryPointArguments"] == ["ledgerbox", "--date", "2026-03-02"]
    assert backfill["jobDriver"]["sparkSubmit"]["entryPoint"] == "s3://code/ledgerlake/1/jobs/backfill.py"
    assert backfill["jobDriver"]["sparkSubmit"]["entryPointArguments"] == [
        "ledgerbox", "--from", "2026-03-02", "--to", "2026-03-31",
    ]  # fmt: skip


def test_delta_comes_from_the_image_and_the_rest_from_the_package() -> None:
    jars = settings_of(start_request(PRODUCTION, DAY))["spark.jars"].split(",")

    assert jars[:2] == ["/usr/share/aws/delta/lib/delta-spark.jar", "/usr/share/aws/delta/lib/delta-storage.jar"]
    assert all(jar.startswith("s3://code/ledgerlake/1/jars/") for jar in jars[2:])


def test_driver_and_executors_use_the_shipped_python() -> None:
    settings = settings_of(start_request(PRODUCTION, DAY))

    assert "s3://code/ledgerlake/1/environment.tar.gz#environment" in settings["spark.archives"].split(",")
    pythons = {key: value for key, value in settings.items() if "PYTHON" in key}
    assert len(pythons) == 3
    assert set(pythons.values()) == {"./environment/bin/python"}


def test_settings_of_the_environment_win() -> None:
    assert settings_of(start_request(PRODUCTION, DAY))["spark.executor.memory"] == "8g"


def test_a_setting_with_blanks_stays_one_word() -> None:
    assert PRODUCTION.emr is not None
    blanks = PRODUCTION.emr.model_copy(update={"settings": {"spark.driver.extraJavaOptions": "-Da=1 -Db=2"}})

    settings = settings_of(start_request(PRODUCTION.model_copy(update={"emr": blanks}), DAY))

    assert settings["spark.driver.extraJavaOptions"] == "-Da=1 -Db=2"


def test_the_token_is_one_that_the_service_accepts() -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", DAY.client_token)
