"""Server-sent events as a client reads them, and when a stream has ended rather than been cut.

Source: HTML Living Standard, "Server-sent events", 9.2.5 and 9.2.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledgerlake.core.types.words import decoded
from ledgerlake.errors import SourceError, TransientError

_FIELDS = ("data", "event", "id", "retry")


@dataclass(frozen=True)
class Event:
    """One event: its type (``message`` unless it names one) and its data lines, joined."""

    kind: str
    data: str


def events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a stream.

    Raises :class:`TransientError` where the last event is not closed by a blank line (the
    stream was cut), :class:`SourceError` for a line that is no part of an event.
    """
    kind, data = "message", list[str]()
    open_, partial = False, -1
    for number, raw in enumerate(lines):
        if partial >= 0:
            raise _no_event(partial)
        line = decoded(raw.removeprefix(b"\xef\xbb\xbf") if number == 0 else raw)
        line = line.rstrip("\r")
        if not line:
            if data:
                yield Event(kind, "\n".join(data))
            kind, data, open_ = "message", [], False
            continue
        name, _, value = line.partition(":")
        if line not in _FIELDS and any(field.startswith(line) for field in _FIELDS):
            partial, open_ = number, True  # cut inside a field's name, if nothing follows
            continue
        if name and name not in _FIELDS:
            raise _no_event(number)
        open_ = open_ or bool(name)
        if name == "data":
            data.append(value.removeprefix(" "))
        elif name == "event":
            kind = value.removeprefix(" ") or "message"
    if open_:
        raise TransientError("the stream ends in the middle of an event (cut)", then="run again")


def _no_event(number: int) -> SourceError:
    return SourceError(
        f"line {number + 1} of the answer is no server-sent event", then="check the source's connection and path"
    )
