"""The net below everything: whatever a table, a mart or a command raises becomes an error of the product's own.

A library's message may hold data, so it is not shown; the traceback goes into a file that only its
owner can read, and the error says which.
"""

from __future__ import annotations

import hashlib
import os
import traceback
from pathlib import Path

from ledgerlake.discretion import hidden
from ledgerlake.errors import ConfigError, LedgerlakeError, UnexpectedError, Where
from ledgerlake.ports.failures import storage_failure

_PLANNING = ("AnalysisException", "ParseException")
"""Spark's errors of a statement that does not fit its tables: they speak of names, never of values."""


def typed(error: BaseException, where: Where, folder: Path) -> LedgerlakeError:
    """Return ``error`` as one of the product's tree; the traceback of what nobody foresaw goes into ``folder``.

    Interrupts pass: they are raised again.
    """
    if isinstance(error, LedgerlakeError):
        return error
    if not isinstance(error, Exception):
        raise error
    return storage_failure(error, where) or _statement(error, where) or unexpected(error, where, folder)


def _statement(error: Exception, where: Where) -> ConfigError | None:
    if type(error).__name__ not in _PLANNING:
        return None
    said = str(error).strip().splitlines()[0].partition(";")[0]
    then = "correct it, then `ledgerlake validate`"
    return ConfigError(f"the SQL does not fit its inputs: {said}", where=where, then=then)


def unexpected(error: BaseException, where: Where, folder: Path) -> UnexpectedError:
    """Return the error of something that nobody foresaw, after keeping its traceback."""
    text = hidden("".join(traceback.format_exception(error)))
    name = f"{type(error).__name__}-{hashlib.sha256(text.encode()).hexdigest()[:10]}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        kept = f"its traceback is in {folder / name}; please report it"
    except OSError:
        kept = "its traceback could not be kept; please report it"
    return UnexpectedError(f"an unexpected {type(error).__name__}", where=where, then=kept)
