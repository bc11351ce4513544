"""Kafka topics in object storage: names ``topic+partition+startOffset.ext``, and the frame of JSON lines files."""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePosixPath

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.bodies import NO_LIMITS, Limits
from ledgerlake.feeds.decoding.lines import verify
from ledgerlake.landing.manifest import Layout

_NAME = re.compile(r"^(?P<topic>.+)\+(?P<partition>\d+)\+(?P<offset>\d+)\.")
_DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})")


def file_date(name: str) -> date | None:
    """Return the day of a ``dt=`` folder, None without one."""
    found = _DAY.search(name)
    return date.fromisoformat(found[1]) if found else None


def file_order(name: str) -> str:
    """Return ``partition|startOffset`` from the name; raise :class:`SourceError` for another layout."""
    found = _parts(name)
    return f"{int(found['partition']):06d}|{int(found['offset'])}"


def file_partition(name: str) -> int:
    """Return the topic's partition from the name; raise :class:`SourceError` for another layout."""
    return int(_parts(name)["partition"])


def _parts(name: str) -> re.Match[str]:
    found = _NAME.match(PurePosixPath(name).name)
    if not found:
        raise SourceError("the name is not topic+partition+startOffset", where=Where(file=name))
    return found


def probe(name: str, body: bytes, limits: Limits = NO_LIMITS) -> Layout:
    """Refuse names outside the layout, empty files, broken gzip and Avro; lines have no layout."""
    file_order(name)
    verify(name, body, limits)
    return ()
