"""The templates of ``emr/``: the same job as ``ledgerlake submit`` sends, in requests the service accepts."""

from __future__ import annotations

import ast
import json
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from ledgerlake.config.load import load_environment
from ledgerlake.emr.request import Job, start_request

ROOT = Path(__file__).resolve().parents[2]
JOB = Job("ledgerbox", date(2026, 3, 2), date(2026, 3, 2), "")


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "emr" / name).read_text())
    return content


@pytest.fixture(scope="module")
def submitted() -> dict[str, Any]:
    """Return what ``ledgerlake --env emr submit`` sends, less the token."""
    request = start_request(load_environment(ROOT / "conf", "emr"), JOB)
    return {key: value for key, value in request.items() if key != "clientToken"}


def test_the_job_template_is_what_submit_sends(submitted: dict[str, Any]) -> None:
    template = read("job-run.json")
    template.pop("clientToken")

    assert template == submitted


def test_the_state_machine_starts_the_same_job_for_any_pipeline_and_date(submitted: dict[str, Any]) -> None:
    parameters = read("step-functions.asl.json")["States"]["Run"]["Parameters"]

    spark, sent = parameters["JobDriver"]["SparkSubmit"], submitted["jobDriver"]["sparkSubmit"]
    assert spark["EntryPoint"] == sent["entryPoint"]
    assert spark["SparkSubmitParameters"] == sent["sparkSubmitParameters"]
    assert spark["EntryPointArguments.$"] == "States.Array($.pipeline, '--date', $.date)"
    assert "$.attempt" in parameters["ClientToken.$"]


@pytest.mark.parametrize(
    ("name", "operation"), [("application.json", "CreateApplication"), ("job-run.json", "StartJobRun")]
)
def test_the_templates_fit_the_services_own_model(name: str, operation: str) -> None:
    model = boto3.client("emr-serverless", region_name="us-east-1").meta.service_model.operation_model(operation)
    request = {"clientToken": "x"} | read(name)

    assert ParamValidator().validate(request, model.input_shape).generate_report() == ""


def test_policies_allow_nothing_on_everything() -> None:
    for name in ("job-role.json", "submitter.json"):
        for statement in read(f"iam/{name}")["Statement"]:
            assert "*" not in (statement["Resource"], statement["Action"])


def test_the_dag_hands_on_pipeline_date_and_attempt() -> None:
    source = (ROOT / "emr" / "airflow_dag.py").read_text()

    ast.parse(source)
    assert '["{{ params.pipeline }}", "--date", DATE]' in source
    assert "params.attempt" in source
