"""A whole day on ``s3a://`` against a local S3 server, one of its objects decoded by workers, then the same day again."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from ledgerlake.demo.ledgerbox.scale import Scale
from ledgerlake.demo.ledgerbox.sources import Sources, running_sources
from ledgerlake.demo.ledgerbox.world import build_world
from ledgerlake.feeds.decoding.frame import text_bytes
from moto.server import ThreadedMotoServer
from project import Project, new_project

HERE_BYTES = 16 << 20  # more text than that is decoded by workers where 50,000 rows are taken here
ENVIRONMENT = """
environment: s3
embedded_rows_max: 50000
lake: s3://ledger/lake
sources: s3://ledger/sources
snowflake: local
snowflake_folder: .local/snowflake
connections:
  settlements_db:
    jdbc_url: env:LEDGERBOX_SETTLEMENTS_JDBC_URL
    user: env:LEDGERBOX_SETTLEMENTS_USER
    password: env:LEDGERBOX_SETTLEMENTS_PASSWORD
  stripe: {api_key: env:STRIPE_API_KEY, base_url: env:STRIPE_BASE_URL}
s3: {endpoint: env:LOCAL_S3, access_key: env:AWS_ACCESS_KEY_ID, secret_key: env:AWS_SECRET_ACCESS_KEY}
spark: {driver_memory: 1g, settings: {spark.sql.codegen.wholeStage: "false", spark.sql.codegen.factoryMode: NO_CODEGEN, spark.sql.adaptive.enabled: "false"}}
"""
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def sources(open_folder: Path) -> Iterator[Sources]:
    """The sources of a small world, running."""
    with running_sources(build_world(scale=Scale.small()), open_folder / "s3_files", open_folder / "s3_pg") as running:
        yield running


@pytest.fixture
def s3_project(tmp_path: Path, sources: Sources) -> Iterator[Project]:
    """A project whose lake and delivered files live in a bucket of a local S3 server."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    names = (
        "STRIPE_API_KEY",
        "STRIPE_BASE_URL",
        "LEDGERBOX_SETTLEMENTS_JDBC_URL",
        "LEDGERBOX_SETTLEMENTS_USER",
        "LEDGERBOX_SETTLEMENTS_PASSWORD",
    )
    project = new_project(tmp_path / "project")
    project.environment |= {n: sources.secrets.resolve(f"env:{n}") for n in names} | KEYS | {"LOCAL_S3": url}
    (project.folder / "conf/environments/s3.yml").write_text(ENVIRONMENT)
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
    )
    client.create_bucket(Bucket="ledger")
    sources.apply_day(0)
    make_large(min(sources.files.glob("topics/**/*.json.gz")))
    for file in sorted(sources.files.rglob("*")):
        if file.is_file():
            client.upload_file(str(file), "ledger", f"sources/{file.relative_to(sources.files).as_posix()}")
    yield project
    server.stop()


def make_large(events: Path) -> None:
    """Give the first event a field that is not declared, so large that workers fetch and decode the object."""
    first, *others = gzip.decompress(events.read_bytes()).splitlines()
    padded = json.loads(first) | {"padding": random.Random(1).randbytes(HERE_BYTES // 10).hex()}
    events.write_bytes(gzip.compress(b"\n".join([json.dumps(padded).encode(), *others, b""])))
    assert text_bytes(events.name, events.stat().st_size) > HERE_BYTES


def test_a_day_on_s3_is_published_and_repeating_it_changes_nothing(s3_project: Project) -> None:
    aside = s3_project.folder / "tmp"
    aside.mkdir()
    s3_project.environment["TMPDIR"] = str(aside)
    day = ("run", "ledgerbox", "--date", "2026-03-02")
    first = s3_project.ask("--env", "s3", *day)
    assert (first["status"], first["stopped"]) == ("published", []) and first["read"] > 200
    again = s3_project.ask("--env", "s3", *day)
    assert (again["status"], again["read"]) == ("unchanged", 0)
    assert again["publication_id"] == first["publication_id"]
    assert [p.name for p in aside.iterdir() if p.name.startswith("ledgerlake")] == []  # exported rows are gone
