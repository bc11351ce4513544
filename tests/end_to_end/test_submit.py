"""``ledgerlake submit`` against a local server that speaks the EMR Serverless API."""

from __future__ import annotations

from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer
from project import new_project

KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}


def test_a_submitted_day_becomes_a_job_that_is_followed_to_its_end(tmp_path: Path) -> None:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    project = new_project(tmp_path)
    project.environment |= KEYS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    client = boto3.client(
        "emr-serverless",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    application = client.create_application(name="ledgerlake", releaseLabel="emr-7.13.0", type="SPARK")["applicationId"]
    declared = project.folder / "conf/environments/emr.yml"
    declared.write_text(declared.read_text().replace("00example0000000", application))
    answer = project.ask("--env", "emr", "submit", "ledgerbox", "--date", "2026-03-02")
    job = client.get_job_run(applicationId=application, jobRunId=answer["job_run_id"])["jobRun"]
    server.stop()
    assert answer["state"] == "SUCCESS"
    assert job["jobDriver"]["sparkSubmit"]["entryPointArguments"][-3:] == ["ledgerbox", "--date", "2026-03-02"]
