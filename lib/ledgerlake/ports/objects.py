"""Object storage as a port: a local folder or an S3 bucket, with the same five verbs.

Paths are relative to the store's root and use ``/``. ``write(if_absent=True)`` is the one
atomic primitive that leases and immutable landing need (S3: ``If-None-Match: *``).
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

from ledgerlake.errors import (
    ConfigError,
    LedgerlakeError,
    NotFoundError,
    SourceError,
    StorageUnavailable,
    TransientError,
    Where,
)
from ledgerlake.ports.failures import storage_failure


@dataclass(frozen=True, order=True)
class ObjectInfo:
    """One stored object: its path, size in bytes and last modification in UTC."""

    path: str
    size_bytes: int
    modified_at: datetime
    version: str  # changes whenever the content may have changed: mtime+size locally, ETag on S3
    fault: str = ""  # why it cannot be read, though it is listed


class ObjectStore(Protocol):
    """A flat namespace of immutable-by-convention objects under one root."""

    @property
    def uri(self) -> str:
        """Return the root as Spark and delta-rs address it, without a trailing slash."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object under ``prefix`` in path order."""
        ...

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the object's bytes, or a range of them; a negative ``start`` counts from the end."""
        ...

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        """Store ``body`` atomically; with ``if_absent`` return False where the object exists."""
        ...

    def delete(self, path: str) -> None:
        """Remove the object; nothing happens where there is none."""
        ...

    def exists(self, path: str) -> bool:
        """Say whether the object exists."""
        ...


class LocalObjects:
    """A folder of the local file system."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def uri(self) -> str:
        """Return the folder's absolute path."""
        return str(self.root)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every file under ``prefix`` in path order; only files that this class is writing are skipped.

        Links that lead nowhere, to folders or out of the root are listed with what is wrong with them.
        """
        try:
            found = list(self._files(self.root / prefix.rpartition("/")[0], prefix))
        except OSError as error:
            raise storage_error(error, prefix or self.uri) from error
        yield from sorted(found, key=lambda info: info.path)

    def _files(self, top: Path, prefix: str) -> Iterator[ObjectInfo]:
        root = self.root.resolve()
        for folder, folders, names in os.walk(top, onerror=_unless_missing):
            for name in (*names, *(n for n in folders if Path(folder, n).is_symlink())):
                full = Path(folder, name)
                path = full.relative_to(self.root).as_posix()
                if path.startswith(prefix) and not name.startswith(_WRITING):
                    yield _info(path, full, root)

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the file's bytes, or a range of them."""
        try:
            with (self.root / path).open("rb") as stream:
                if start < 0:
                    stream.seek(max(stream.seek(0, os.SEEK_END) + start, 0))
                elif start:
                    stream.seek(start)
                return stream.read() if length is None else stream.read(length)
        except FileNotFoundError as error:
            raise NotFoundError("no such object", where=Where(file=path)) from error
        except OSError as error:
            raise storage_error(error, path) from error

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        """Write through a temporary file, so that no reader sees half an object."""
        target = self.root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_WRITING)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(body)
                    stream.flush()
                    os.fsync(stream.fileno())
                if if_absent:
                    os.link(temporary, target)
                    return True
                Path(temporary).replace(target)
                return True
            except FileExistsError:
                return False
            finally:
                Path(temporary).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, path) from error

    def delete(self, path: str) -> None:
        """Remove the file if it is there."""
        try:
            (self.root / path).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, path) from error

    def exists(self, path: str) -> bool:
        """Say whether the file exists."""
        return (self.root / path).is_file()


_WRITING = ".ledgerlake-writing-"


def _info(path: str, full: Path, root: Path) -> ObjectInfo:
    """Return what is listed of a file; of a link what it leads to, unless that is not to be read."""
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    link = full.is_symlink()
    try:
        found = full.stat()
    except OSError as error:
        if not link and not isinstance(error, FileNotFoundError):
            raise
        return ObjectInfo(shown, 0, datetime.fromtimestamp(0, UTC), "gone", "a link that leads nowhere" if link else "")
    fault = "a name that is not UTF-8" if shown != path else _fault(found, full, root, link=link)
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return ObjectInfo(shown, found.st_size, modified, f"{found.st_mtime_ns}:{found.st_size}", fault)


def _fault(found: os.stat_result, full: Path, root: Path, *, link: bool) -> str:
    if link and not full.resolve().is_relative_to(root):
        return "a link that leads out of the source's folder"
    if stat.S_ISDIR(found.st_mode):
        return "a link to a folder"
    return "" if stat.S_ISREG(found.st_mode) else "no regular file"


def _unless_missing(error: OSError) -> None:
    """Raise what a listing met on its way, but for folders that do not exist: those hold nothing."""
    if not isinstance(error, FileNotFoundError):
        raise error


def storage_error(error: OSError, path: str) -> LedgerlakeError:
    """Turn a file system error (a full disk above all) into one that says what to do."""
    where = Where(file=path)
    return storage_failure(error, where) or TransientError(
        f"the file system answered: {os.strerror(error.errno) if error.errno else type(error).__name__}",
        where=where, then="mend the storage, then run the same command again; it continues where it stopped",
    )  # fmt: skip


class S3Objects:
    """A prefix of an S3 bucket, through a boto3 client that is passed in; ``sleep`` waits some seconds."""

    def __init__(
        self, bucket: str, prefix: str, client: Any, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.bucket, self.prefix, self._client, self._sleep = bucket, prefix.strip("/"), client, sleep

    @property
    def uri(self) -> str:
        """Return the ``s3a://`` address of the prefix."""
        return f"s3a://{self.bucket}/{self.prefix}".rstrip("/")

    def _key(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every object under ``prefix`` in key order."""
        cut = len(self.prefix) + 1 if self.prefix else 0
        with _s3_errors(prefix or self.uri):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._key(prefix))
            for page in pages:
                for item in page.get("Contents", []):
                    tag = str(item["ETag"]).strip('"')
                    yield ObjectInfo(item["Key"][cut:], item["Size"], item["LastModified"], tag)

    def read(self, path: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the object's bytes, or a range of them."""
        request: dict[str, str] = {"Bucket": self.bucket, "Key": self._key(path)}
        if start < 0:
            request["Range"] = f"bytes={start}"
        elif start or length is not None:
            request["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
        for attempt in range(1, _READS):  # boto3 repeats requests, but not a body that breaks off
            try:
                return self._got(path, request)
            except StorageUnavailable:
                self._sleep(_BACKOFF_S * 2**attempt)
        return self._got(path, request)

    def _got(self, path: str, request: dict[str, str]) -> bytes:
        with _s3_errors(path):
            try:
                return bytes(self._client.get_object(**request)["Body"].read())
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":
                    return b""
                raise

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        """Put the object; with ``if_absent`` as a conditional write.

        A request whose answer was lost is repeated and then refused by its own success: what stands
        and is the same counts as written.
        """
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        with _s3_errors(path):
            try:
                self._client.put_object(Bucket=self.bucket, Key=self._key(path), Body=body, **condition)
                return True
            except self._client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
                    return self.read(path) == body
                raise

    def delete(self, path: str) -> None:
        """Delete the object."""
        with _s3_errors(path):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(path))

    def exists(self, path: str) -> bool:
        """Say whether the object exists."""
        with _s3_errors(path):
            try:
                self._client.head_object(Bucket=self.bucket, Key=self._key(path))
                return True
            except self._client.exceptions.ClientError as error:
                if str(error.response["Error"]["Code"]) in ("404", "NoSuchKey", "NotFound"):
                    return False
                raise


_READS, _BACKOFF_S = 5, 0.2


def s3_client(**named: str) -> Any:
    """Return a boto3 client for S3 that repeats what fails by the network's or the service's fault, with backoff."""
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 8}), **named)


_S3_REFUSALS = (
    "AccessDenied", "403", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
    "InvalidToken", "NoSuchBucket",
)  # fmt: skip


@contextmanager
def _s3_errors(path: str) -> Iterator[None]:
    """Turn what S3, or the way to it, answers into the product's errors."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
    from urllib3.exceptions import HTTPError

    where = Where(file=path)
    try:
        yield
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in ("NoSuchKey", "404"):
            raise NotFoundError("no such object", where=where) from error
        if code in _S3_REFUSALS:
            raise ConfigError(
                f"S3 answered {code}", where=where, then="check the bucket and the role's rights"
            ) from error
        raise StorageUnavailable(f"S3 answered {code}", where=where, then="run the same command again later") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ConfigError(
            "there are no AWS credentials", where=where, then="give the account a role or keys"
        ) from error
    except BotoCoreError as error:
        what = f"S3 cannot be reached ({type(error).__name__})"
        raise StorageUnavailable(what, where=where, then="run the same command again later") from error
    except (OSError, HTTPError) as error:  # a body that breaks off, out of the library below boto3
        what = f"S3 cannot be reached ({type(error).__name__})"
        raise StorageUnavailable(what, where=where, then="run the same command again later") from error


def open_store(location: str, client: Any = None) -> ObjectStore:
    """Return the store for a folder path, ``file://`` or ``s3://bucket/prefix`` location."""
    parts = urlparse(location)
    if parts.scheme in ("s3", "s3a"):
        if client is None:
            client = s3_client()
        return S3Objects(parts.netloc, parts.path.strip("/"), client)
    if parts.scheme in ("", "file"):
        return LocalObjects(Path(parts.path))
    raise SourceError(f"{parts.scheme}:// is not a storage ledgerlake knows", then="use a folder or s3://bucket/prefix")


def content_hash(body: bytes) -> str:
    """Return the SHA-256 of ``body`` in hex: the content address of a landed object."""
    return hashlib.sha256(body).hexdigest()
