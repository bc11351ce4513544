"""A storage that fails now and then costs time and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from end_to_end.failing_s3 import FailingS3, failing_s3
from ledgerlake.errors import StorageUnavailable
from ledgerlake.ports.objects import S3Objects, s3_client
from project import ROOT, Project, new_project

KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
ENVIRONMENT = """
environment: s3
lake: s3://shop/lake
sources: s3://shop/sources
snowflake: local
snowflake_folder: .local/snowflake
s3: {endpoint: env:LOCAL_S3, access_key: env:AWS_ACCESS_KEY_ID, secret_key: env:AWS_SECRET_ACCESS_KEY}
spark: {driver_memory: 1g, settings: {spark.sql.codegen.wholeStage: "false", spark.sql.codegen.factoryMode: NO_CODEGEN}}
"""
HEADER = "Op,order_id,currency,amount,created_at,change_seq\n"


def client_of(url: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
    )


@pytest.fixture
def storage() -> Iterator[tuple[str, FailingS3]]:
    with failing_s3() as (url, app):
        client_of(url).create_bucket(Bucket="shop")
        yield url, app


def shop(folder: Path, url: str) -> Project:
    """The README's first pipeline, on S3."""
    project = new_project(folder)
    project.environment |= KEYS | {"LOCAL_S3": url}
    (folder / "conf/environments/s3.yml").write_text(ENVIRONMENT)
    for name, text in re.findall(
        r"`(conf/pipelines/shop/[^`]+)`:\n\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return project


def deliver(url: str, day: int) -> None:
    rows = [
        f"{'I' if day == 2 else 'U'},o_{n:03d},USD,{n}.25,2026-03-02 08:00:00,{day * 1000 + n:035d}\n"
        for n in range(100)
    ]
    body = (HEADER + "".join(rows)).encode()
    client_of(url).put_object(
        Bucket="shop", Key=f"sources/orders_db/public/orders/2026030{day}-090000000.csv", Body=body
    )


def test_a_storage_that_fails_one_request_in_seven_costs_nothing_but_time(
    tmp_path: Path, storage: tuple[str, FailingS3]
) -> None:
    url, app = storage
    project = shop(tmp_path, url)
    day = ("--env", "s3", "run", "shop", "--date", "2026-03-02")
    deliver(url, 2)
    app.fails = True

    answer = project.ask(*day)

    app.fails = False
    assert (answer["status"], answer["read"], answer["applied"], answer["stopped"]) == ("published", 100, 100, [])
    assert sum(app.failed.values()) > 10 and len(app.failed) == 5
    assert project.ask(*day)["status"] == "unchanged"


@pytest.fixture
def objects(storage: tuple[str, FailingS3]) -> S3Objects:
    named = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    return S3Objects("shop", "lake", s3_client(endpoint_url=storage[0], **named), sleep=lambda _: None)


def test_objects_are_read_whole_written_once_and_listed_completely_through_failures(
    objects: S3Objects, storage: tuple[str, FailingS3]
) -> None:
    _, app = storage
    app.fails = True
    body = b"x" * 10_000

    written = [objects.write(f"o{n}", body + str(n).encode(), if_absent=True) for n in range(60)]

    assert written == [True] * 60  # an answer that was lost is not somebody else's write
    assert [objects.read(f"o{n}") for n in range(60)] == [body + str(n).encode() for n in range(60)]
    assert len(list(objects.list("o"))) == 60
    assert not objects.write("o1", b"other", if_absent=True)
    assert set(app.failed) == {"500", "503", "none", "half", "lost"}


def test_a_storage_that_is_gone_ends_as_something_to_try_again() -> None:
    named = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    client = s3_client(endpoint_url="http://127.0.0.1:1", **named)

    with pytest.raises(StorageUnavailable, match="S3 cannot be reached"):
        S3Objects("shop", "lake", client).exists("o")
