"""Whatever goes wrong while an object is decoded is an error of that object, also where a Spark worker met it.

An exception of a worker reaches the driver as text, inside Spark's own. So an object's error
carries its parts in a note, a line of the traceback that is found again here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ledgerlake.errors import SourceError, Where

_SIGN = "ledgerlake-fault "
_TOLD = re.compile(re.escape(_SIGN) + r"(\{.*\})")
_UNREADABLE = "the object cannot be read"


class ObjectFault(SourceError):
    """What is wrong with one object, ``where.file``; a note tells it to those who read Spark's exception."""

    def __init__(self, error: SourceError, file: str) -> None:
        where = Where(file=file, line=error.where.line, table=error.where.table, column=error.where.column)
        super().__init__(error.what, where=where, then=error.then)
        self.add_note(_SIGN + json.dumps({"what": self.what, "then": self.then, "where": vars(where)}))


@contextmanager
def attributed(file: str) -> Iterator[None]:
    """Turn whatever is raised inside the block into an error of the object called ``file`` at its source."""
    try:
        yield
    except ObjectFault:
        raise
    except SourceError as error:
        raise ObjectFault(error, file) from error
    except Exception as error:
        told = SourceError(f"{_UNREADABLE} ({type(error).__name__})", then="have it delivered again under a new name")
        raise ObjectFault(told, file) from error


def fault_in(error: BaseException) -> ObjectFault | None:
    """Return the object's error that ``error`` is, or that Spark's exception tells of; None where there is none."""
    if isinstance(error, ObjectFault):
        return error
    found = _TOLD.search(str(error))
    if not found:
        return None
    parts = json.loads(found[1])
    where = Where(**parts["where"])
    return ObjectFault(SourceError(parts["what"], where=where, then=parts["then"]), str(where.file))
