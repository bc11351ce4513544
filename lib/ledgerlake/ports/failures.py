"""What disks and object stores refuse, told apart by type, whichever library reports it.

Python, delta-rs and the JVM each have their own way of saying that a disk is full. Where work
is bounded (a table, a source, a run, a command) :func:`storage_errors` turns what they say into
the product's errors; everything it does not know passes as it is.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ledgerlake.errors import NOWHERE, ConfigError, LedgerlakeError, StorageUnavailable, TransientError, Where

_FULL = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122")
_REFUSED = (
    "Permission denied", "os error 13", "Operation not permitted (os error 1)", "Read-only file system",
    "os error 30", "AccessDenied", "Status Code: 403",
)  # fmt: skip
_OUT_OF_REACH = (
    "error sending request", "Connection refused", "Connection reset", "UnknownHostException",
    "SocketTimeoutException", "SlowDown", "Status Code: 50", "Error Code: InternalError", "<Code>InternalError", "Internal Server Error",
    "Service Unavailable", "RequestTimeout", "Premature end of Content-Length", "IncompleteRead",
    "error decoding response body", "operation timed out", "connection closed before message completed",
    "NoHttpResponseException", "Unable to execute HTTP request", "Broken pipe (os error 32)",
    "Server returned non-2xx status code: 5", "request or response body error",
)  # fmt: skip
_REFUSED_ERRNO = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def storage_errors(where: Where = NOWHERE) -> Iterator[None]:
    """Turn failures of storage inside the block into errors that say what to do; others pass."""
    try:
        yield
    except LedgerlakeError:
        raise
    except Exception as error:
        known = storage_failure(error, where)
        if known is None:
            raise
        raise known from error


def storage_failure(error: BaseException, where: Where = NOWHERE) -> LedgerlakeError | None:
    """Return what ``error`` says of storage as an error of the product's tree, None where it says nothing of it.

    A full disk and a store out of reach may pass (:class:`TransientError`); a refusal needs
    somebody to grant access (:class:`ConfigError`). Messages hold no data values.
    """
    text = f"{error} {getattr(error, 'stackTrace', '')}"  # Spark keeps the causes in the trace alone
    if any(sign in text for sign in _FULL):
        return TransientError(
            "no space is left on the storage", where=where,
            then="free or extend it, then run the same command again; it continues where it stopped",
        )  # fmt: skip
    if any(sign in text for sign in _REFUSED) or getattr(error, "errno", None) in _REFUSED_ERRNO:
        return ConfigError(
            "the storage refuses access", where=where,
            then="give the account that runs ledgerlake access to it, then run the same command again",
        )  # fmt: skip
    if any(sign in text for sign in _OUT_OF_REACH):
        return StorageUnavailable("the storage cannot be reached", where=where, then="run the same command again later")
    return None
