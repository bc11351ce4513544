"""An object's records as texts: lines a chunk at a time, so that memory does not grow with the object, or an array's elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.records import fields_of
from ledgerlake.feeds.json_lines import content

Cut = Callable[[str, "bytes | memoryview"], Iterator[list[bytes]]]
"""(name, body) → the texts of the records in an object, some at a time; must be picklable."""

_MARK = b"\xef\xbb\xbf"
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def chunks(name: str, body: bytes | memoryview) -> Iterator[list[bytes]]:
    """Yield lists of lines without their ends (LF or CRLF); blank lines are lines.

    A byte order mark before the first line is dropped. Raises :class:`SourceError` as
    :func:`ledgerlake.feeds.json_lines.content` does.
    """
    begun: list[bytes] = []  # what a line that has not ended yet began with, piece by piece
    marked = True
    for piece in content(name, body):
        if marked:
            piece, marked = piece.removeprefix(_MARK), False
        cut = piece.rfind(b"\n")
        if cut >= 0:
            yield _split(b"".join([*begun, piece[:cut]]))
            begun = []
        begun.append(piece[cut + 1 :])
    rest = b"".join(begun)
    if rest:
        yield _split(rest)


def _split(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in text else lines


@dataclass(frozen=True)
class ArrayElements:
    """Cuts a JSON document at an array's elements; ``records`` is its dotted path, empty for the document itself."""

    records: str = ""

    def __call__(self, name: str, body: bytes | memoryview) -> Iterator[list[bytes]]:
        """Yield all elements' texts at once.

        Raises :class:`SourceError` for what is no such document, and where an element is no object.
        """
        text: bytes | msgspec.Raw = b"".join(content(name, body)).removeprefix(_MARK)
        try:
            for part in filter(None, self.records.split(".")):
                text = fields_of(text)[part]
            found = [bytes(element) for element in _elements(text)]
        except msgspec.ValidationError as error:
            raise SourceError(f"no array at {self.records or 'its top'!r}", where=Where(file=name)) from error
        except (msgspec.MsgspecError, ValueError, KeyError, RecursionError) as error:
            what = f"not a JSON document with an array at {self.records or 'its top'!r}"
            raise SourceError(what, where=Where(file=name)) from error
        if not all(element.startswith(b"{") for element in found):
            raise SourceError("the array holds something other than objects", where=Where(file=name))
        yield found
