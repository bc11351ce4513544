"""JSON lines as files: their frame (gzip, whole last line) is checked before they are landed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ledgerlake.errors import SourceError, Where

OBJECT_BYTES_MAX = 1 << 30
"""What an object may hold as it is delivered: one task reads it whole."""
_PIECE, _TEXT_PIECE = 1 << 18, 1 << 21
"""Bytes that are taken at a time, compressed and plain."""


def content(name: str, body: bytes | memoryview) -> Iterator[bytes]:
    """Yield the text of an object of JSON lines, decompressed piece by piece.

    Raises :class:`SourceError` for an empty or too large object, a broken or cut gzip stream, gzip
    under another name, Avro and Confluent wire format.
    """
    if not body:
        raise SourceError("the file is empty", where=Where(file=name))
    if len(body) > OBJECT_BYTES_MAX:
        raise SourceError("larger than 1 GiB: split it, gzip it, or deliver more often", where=Where(file=name))
    if body[:4] == b"Obj\x01":
        raise SourceError("an Avro container where JSON lines are declared", where=Where(file=name))
    if body[:1] == b"\x00":
        raise SourceError("Confluent wire format where JSON lines are declared", where=Where(file=name))
    if name.endswith(".gz"):
        yield from _gunzipped(name, body)
    elif body[:2] == b"\x1f\x8b":  # readers tell gzip by the name alone, and would see rubbish
        raise SourceError("gzip content under a name without .gz", where=Where(file=name))
    else:
        whole = memoryview(body)
        yield from (bytes(whole[at : at + _TEXT_PIECE]) for at in range(0, len(whole), _TEXT_PIECE))


def verify(name: str, body: bytes) -> None:
    """Raise :class:`SourceError` where :func:`content` would; keeps nothing in memory."""
    for _ in content(name, body):
        pass


def lines_in(name: str, body: bytes) -> list[bytes]:
    """Return the lines of an object of JSON lines that are not blank.

    Raises :class:`SourceError` as :func:`content` does, and for a last line that breaks off.
    """
    text = b"".join(content(name, body))
    if not text.endswith(b"\n") and not text.rstrip().endswith(b"}"):
        raise SourceError("the file ends in the middle of a line (truncated)", where=Where(file=name))
    return [line for line in text.split(b"\n") if line.strip()]


def _gunzipped(name: str, body: bytes | memoryview) -> Iterator[bytes]:
    whole = memoryview(body)
    stream = zlib.decompressobj(wbits=31)
    try:
        for at in range(0, len(whole), _PIECE):
            rest: bytes | memoryview = whole[at : at + _PIECE]
            while rest:
                if stream.eof:  # another member follows
                    stream = zlib.decompressobj(wbits=31)
                yield stream.decompress(rest)
                rest = stream.unused_data
    except zlib.error as error:
        raise SourceError("not a gzip stream", where=Where(file=name)) from error
    if not stream.eof:
        raise SourceError("the gzip stream is cut short (truncated)", where=Where(file=name))
