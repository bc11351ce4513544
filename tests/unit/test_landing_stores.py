"""Object stores: a folder and S3 (a real moto server) give the same answers to the same calls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from ledgerlake.errors import NotFoundError, SourceError
from ledgerlake.ports.objects import LocalObjects, ObjectStore, S3Objects, open_store
from moto.server import ThreadedMotoServer

numbers = itertools.count()


@pytest.fixture(scope="module")
def s3() -> Iterator[object]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="lake")
    yield client
    server.stop()


@pytest.fixture(params=["folder", "s3", "s3 at the bucket's root"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return LocalObjects(tmp_path)
    client = request.getfixturevalue("s3")
    if request.param == "s3":
        return S3Objects("lake", f"/team/{next(numbers)}/", client)
    bucket = f"bucket-{next(numbers)}"
    client.create_bucket(Bucket=bucket)
    return S3Objects(bucket, "", client)


def test_objects_are_listed_in_the_order_of_their_paths_below_the_root(store: ObjectStore) -> None:
    for path in ("b/2", "a/1", "b/10", "bb"):
        store.write(path, b"12")

    assert [i.path for i in store.list()] == ["a/1", "b/10", "b/2", "bb"]
    assert [(i.path, i.size_bytes) for i in store.list("b/")] == [("b/10", 2), ("b/2", 2)]
    assert list(store.list("c/")) == []


def test_the_second_conditional_write_loses_and_changes_nothing(store: ObjectStore) -> None:
    assert store.write("lease", b"mine", if_absent=True)
    assert not store.write("lease", b"theirs", if_absent=True)

    assert store.read("lease") == b"mine"


def test_a_plain_write_replaces_and_its_version_moves(store: ObjectStore) -> None:
    store.write("a", b"one")
    [before] = store.list()
    store.write("a", b"three")
    [after] = store.list()

    assert store.read("a") == b"three"
    assert before.version != after.version


@pytest.mark.parametrize(
    ("start", "length", "part"),
    [
        (0, None, b"0123456789"),
        (2, 3, b"234"),
        (7, None, b"789"),
        (-4, None, b"6789"),
        (20, 5, b""),
        (0, 4, b"0123"),
        (8, 10, b"89"),
    ],
)
def test_ranges_are_read_as_asked(store: ObjectStore, start: int, length: int | None, part: bytes) -> None:
    store.write("a", b"0123456789")

    assert store.read("a", start, length) == part


def test_a_missing_object_is_said_to_be_missing(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError, match="no such object"):
        store.read("nowhere/a")
    store.delete("nowhere/a")
    assert not store.exists("nowhere/a")


def test_exists_means_this_object_not_one_that_begins_like_it(store: ObjectStore) -> None:
    store.write("a/bc", b"")

    assert (store.exists("a/bc"), store.exists("a/b"), store.exists("a")) == (True, False, False)


def test_a_deleted_object_is_gone(store: ObjectStore) -> None:
    store.write("a", b"1")
    store.delete("a")

    assert list(store.list()) == []


def test_a_write_leaves_no_temporary_files(tmp_path: Path) -> None:
    store = LocalObjects(tmp_path)
    store.write("a", b"1", if_absent=True)
    store.write("a", b"2", if_absent=True)
    store.write("a", b"3")

    assert [p.name for p in tmp_path.rglob("*")] == ["a"]


def test_a_location_says_what_kind_of_store_it_is(tmp_path: Path) -> None:
    assert open_store(str(tmp_path)).uri == str(tmp_path)
    assert open_store(f"file://{tmp_path}").uri == str(tmp_path)
    assert open_store("s3://lake/team/", client=object()).uri == "s3a://lake/team"
    with pytest.raises(SourceError, match="gs:// is not a storage"):
        open_store("gs://lake")
