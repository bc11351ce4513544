"""An object's records as texts: lines a chunk at a time, so that memory does not grow with the object, or an array's elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.bodies import NO_LIMITS, Body, Limits, check_line, pieces
from ledgerlake.feeds.decoding.keys import STANDS_TWICE, stands_twice_on_top
from ledgerlake.feeds.decoding.records import fields_of, path_of

Cut = Callable[[str, Body, Limits], Iterator[list[bytes]]]
"""(name, body, limits) → the texts of the records in an object, some at a time; must be picklable."""

_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def chunks(name: str, body: Body, limits: Limits = NO_LIMITS) -> Iterator[list[bytes]]:
    """Yield lists of lines without their ends (LF or CRLF); blank lines are lines.

    A byte order mark before the first line is dropped. Raises :class:`SourceError` as
    :func:`ledgerlake.feeds.decoding.bodies.pieces` does, and for a line that is too long.
    """
    begun: list[bytes] = []  # what a line that has not ended yet began with, piece by piece
    size, marked = 0, True
    for piece in pieces(name, body, limits):
        if marked:
            piece, marked = _unmarked(name, piece), False
        cut = piece.rfind(b"\n")
        if cut >= 0:
            yield _split(b"".join([*begun, piece[:cut]]))
            begun, size = [], 0
        begun.append(piece[cut + 1 :])
        size += len(piece) - cut - 1
        check_line(name, size, limits)
    rest = b"".join(begun)
    if rest:
        yield _split(rest)


def verify(name: str, body: Body, limits: Limits = NO_LIMITS) -> None:
    """Raise :class:`SourceError` where :func:`chunks` would; keeps nothing in memory."""
    size, marked = 0, True
    for piece in pieces(name, body, limits):
        if marked:
            _unmarked(name, piece)
            marked = False
        end = piece.rfind(b"\n")
        size = len(piece) - end - 1 + (size if end < 0 else 0)
        check_line(name, size, limits)


def lines_in(name: str, body: Body, limits: Limits = NO_LIMITS) -> list[bytes]:
    """Return the lines of an object of JSON lines that are not blank.

    Raises :class:`SourceError` as :func:`chunks` does, and for a last line that breaks off.
    """
    found = [line for texts in chunks(name, body, limits) for line in texts if line.strip()]
    if found and not found[-1].rstrip().endswith(b"}"):
        raise SourceError("the file ends in the middle of a line (truncated)", where=Where(file=name))
    return found


def _unmarked(name: str, piece: bytes) -> bytes:
    if piece.startswith(_OTHER_MARKS):
        raise SourceError("UTF-16 where JSON in UTF-8 is declared", where=Where(file=name), then="write it as UTF-8")
    return piece.removeprefix(_MARK)


def _split(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in text else lines


@dataclass(frozen=True)
class ArrayElements:
    """Cuts a JSON document at an array's elements; ``records`` is its dotted path, empty for the document itself."""

    records: str = ""

    def __call__(self, name: str, body: Body, limits: Limits = NO_LIMITS) -> Iterator[list[bytes]]:
        """Yield all elements' texts at once.

        Raises :class:`SourceError` for what is no such document, and where an element is no object.
        """
        text: bytes | msgspec.Raw = _unmarked(name, b"".join(pieces(name, body, limits, text="JSON documents")))
        try:
            for part in path_of(self.records) if self.records else ():
                whole, text = bytes(text), fields_of(text)[part]
                named = f'"{part}"'.encode()
                if whole.count(named) - bytes(text).count(named) > 1 and stands_twice_on_top(whole, part):
                    raise SourceError(f"{STANDS_TWICE}: {part!r}", where=Where(file=name))
            found = [bytes(element) for element in _elements(text)]
        except msgspec.ValidationError as error:
            raise SourceError(f"no array at {self.records or 'its top'!r}", where=Where(file=name)) from error
        except (msgspec.MsgspecError, ValueError, KeyError, RecursionError) as error:
            what = f"not a JSON document with an array at {self.records or 'its top'!r}"
            raise SourceError(what, where=Where(file=name)) from error
        if not all(element.startswith(b"{") for element in found):
            raise SourceError("the array holds something other than objects", where=Where(file=name))
        if found:  # an empty array is a delivery of nothing
            yield found
