"""What disks, delta-rs, Spark and S3 say of a failure becomes an error with a type and advice."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from ledgerlake.errors import ConfigError, GateBlocked, LedgerlakeError, StorageUnavailable, TransientError, Where
from ledgerlake.ports.failures import storage_errors, storage_failure
from ledgerlake.ports.objects import LocalObjects, S3Objects
from moto.server import ThreadedMotoServer


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), TransientError),
        (OSError(errno.EACCES, "Permission denied"), ConfigError),
        (OSError(errno.EROFS, "Read-only file system"), ConfigError),
        (RuntimeError("Generic LocalFileSystem error: … StorageFull … (os error 28)"), TransientError),
        (RuntimeError("java.io.IOException: Permission denied"), ConfigError),
        (RuntimeError("error sending request for url (http://minio:9000/lake)"), StorageUnavailable),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), type(None)),
        (ValueError("a mistake in the program"), type(None)),
    ],
    ids=str,
)
def test_a_failure_of_storage_is_told_from_a_mistake_in_the_program(said: Exception, kind: type) -> None:
    found = storage_failure(said, Where(table="accounts"))

    assert type(found) is kind
    if found is not None:
        assert "table accounts" in str(found)
        assert "then run the same command again" in found.then or "run the same command again later" in found.then


def test_the_causes_that_spark_keeps_in_its_trace_count() -> None:
    error = RuntimeError("Job aborted.")
    error.stackTrace = "… Caused by: java.io.IOException: No space left on device"  # type: ignore[attr-defined]

    assert isinstance(storage_failure(error), TransientError)


def test_errors_of_the_product_and_mistakes_pass_as_they_are() -> None:
    for error in (GateBlocked("blocked: Permission denied"), KeyError("owner")):
        with pytest.raises(type(error)) as caught, storage_errors():
            raise error
        assert caught.value is error


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(endpoint: str, **credentials: str) -> S3Objects:
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1)
    keys = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client: Any = boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint, config=once, **keys)
    return S3Objects("nowhere", "lake", client)


VERBS = {
    "list": lambda store: list(store.list("a/")),
    "read": lambda store: store.read("a/1"),
    "write": lambda store: store.write("a/1", b"1"),
    "delete": lambda store: store.delete("a/1"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_s3_out_of_reach_is_transient_and_a_missing_bucket_is_configuration(endpoint: str, verb: str) -> None:
    with pytest.raises(TransientError, match=r"S3 cannot be reached \(EndpointConnectionError\)"):
        VERBS[verb](bucket("http://127.0.0.1:1"))
    with pytest.raises(ConfigError, match="S3 answered NoSuchBucket"):
        VERBS[verb](bucket(endpoint))


@pytest.mark.parametrize("verb", ["list", "write", "delete"])
def test_a_folder_that_is_a_file_is_an_error_of_the_product(tmp_path: Path, verb: str) -> None:
    (tmp_path / "a").write_bytes(b"not a folder")

    with pytest.raises(LedgerlakeError) as caught:
        VERBS[verb](LocalObjects(tmp_path))

    assert isinstance(caught.value, TransientError)
    assert "the file system answered: " in str(caught.value)
