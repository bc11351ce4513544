"""What a delivered object holds, unfolded piece by piece and within limits; its first bytes tell how it was folded, not its name."""

from __future__ import annotations

import bz2
import codecs
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ledgerlake.errors import SourceError, Where

Body: TypeAlias = "bytes | memoryview"

_PIECE, _TEXT_PIECE = 1 << 18, 1 << 21
"""Bytes that are taken at a time, compressed and plain."""
_RATIO_FROM_BYTES = 16 << 20  # a short text of one letter is no bomb


class Limits(BaseModel):
    """What one object may hold: checked while it is unfolded, so that a bomb costs neither time nor memory.

    ``ratio`` is bytes unfolded by bytes delivered, ``line_bytes`` the longest line or record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unfolded_bytes: int = Field(default=1 << 30, ge=1)
    ratio: int = Field(default=200, ge=1)
    line_bytes: int = Field(default=64 << 20, ge=1)


def limits_of(options: Mapping[str, Any]) -> Limits:
    """Return the limits that a source's options declare."""
    declared = options.get("limits") or {}
    return declared if isinstance(declared, Limits) else Limits(**declared)


NO_LIMITS = Limits()
_PROBED = 4096
_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
_FOREIGN = {
    b"Obj\x01": "an Avro container", b"PAR1": "a Parquet file", b"PK\x03\x04": "a zip archive (or a workbook)",
    b"\x00": "Confluent wire format, or binary content,",
}  # fmt: skip


def pieces(name: str, body: Body, limits: Limits = NO_LIMITS, *, text: str = "JSON lines") -> Iterator[bytes]:
    """Yield an object's text piece by piece, whatever of gzip, bzip2, xz and zstd it is folded with.

    Raises :class:`SourceError` for an empty object, one that is larger than the limits, whose
    compression is broken or cut, or that is no text at all; ``text`` is what was declared.
    """
    where = Where(file=name)
    if not body:
        raise SourceError("the file is empty", where=where)
    head = bytes(body[:6])
    foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
    if foreign:
        raise SourceError(f"{foreign} where {text} are declared", where=where)
    kind, unfold = next((k for magic, k in _FOLDED.items() if head.startswith(magic)), ("", _plain))
    if not kind and name.endswith(tuple(_SUFFIXES)) and not _is_text(body):
        raise SourceError(f"not a {_SUFFIXES[name[name.rindex('.') :]]} stream, whatever its name says", where=where)
    size = taken = 0
    try:
        for piece, taken in unfold(body):
            size += len(piece)
            _check(size, taken, limits, where)
            yield piece
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, EOFError) or "runcated" in str(error):
            raise SourceError(f"the {kind} stream is cut short (truncated)", where=where) from error
        raise SourceError(f"not a {kind} stream, or damaged", where=where) from error


def _is_text(body: Body) -> bool:
    try:
        return b"\0" not in bytes(body[:_PROBED]) and bool(
            codecs.getincrementaldecoder("utf-8")().decode(bytes(body[:_PROBED]))
        )
    except UnicodeDecodeError:
        return False


def check_line(name: str, size: int, limits: Limits) -> None:
    """Raise :class:`SourceError` where a line or record is longer than declared."""
    if size > limits.line_bytes:
        raise SourceError(
            f"a line of more than {limits.line_bytes:,} bytes", where=Where(file=name),
            then="deliver one record a line, or raise `limits: {line_bytes: …}` on the source",
        )  # fmt: skip


def _check(size: int, taken: int, limits: Limits, where: Where) -> None:
    if size > limits.unfolded_bytes:
        raise SourceError(
            f"it holds more than {limits.unfolded_bytes:,} bytes", where=where,
            then="split it, deliver more often, or raise `limits: {unfolded_bytes: …}` on the source",
        )  # fmt: skip
    if size > _RATIO_FROM_BYTES and size > limits.ratio * taken:
        raise SourceError(
            f"it unfolds to more than {limits.ratio} times what was delivered", where=where,
            then="look at the object; raise `limits: {ratio: …}` on the source if it is sound",
        )  # fmt: skip


Unfold = Callable[[Body], Iterator[tuple[bytes, int]]]
"""Body → (plain piece, bytes of the body taken so far)."""


def _plain(body: Body) -> Iterator[tuple[bytes, int]]:
    whole = memoryview(body)
    for at in range(0, len(whole), _TEXT_PIECE):
        piece = bytes(whole[at : at + _TEXT_PIECE])
        yield piece, at + len(piece)


def _gunzipped(body: Body) -> Iterator[tuple[bytes, int]]:
    whole, stream = memoryview(body), zlib.decompressobj(wbits=31)
    for at in range(0, len(whole), _PIECE):
        rest: Body = whole[at : at + _PIECE]
        while rest:
            if stream.eof:  # another member follows
                stream = zlib.decompressobj(wbits=31)
            yield stream.decompress(rest, _TEXT_PIECE), at + _PIECE
            rest = stream.unconsumed_tail or stream.unused_data
    while not stream.eof and (more := stream.decompress(b"", _TEXT_PIECE)):
        yield more, len(whole)
    if not stream.eof:
        raise EOFError


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _as_file(open_file: Callable[[io.BytesIO], _Reads]) -> Unfold:
    def unfold(body: Body) -> Iterator[tuple[bytes, int]]:
        source = io.BytesIO(body)
        stream = open_file(source)
        while piece := stream.read(_TEXT_PIECE):
            yield piece, max(source.tell(), 1)

    return unfold


def _zstd(source: io.BytesIO) -> _Reads:
    import pyarrow as pa

    stream: _Reads = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd")
    return stream


_FOLDED: Mapping[bytes, tuple[str, Unfold]] = {
    b"\x1f\x8b": ("gzip", _gunzipped), b"BZh": ("bzip2", _as_file(bz2.BZ2File)),
    b"\xfd7zXZ\x00": ("xz", _as_file(lzma.LZMAFile)), b"\x28\xb5\x2f\xfd": ("zstd", _as_file(_zstd)),
}  # fmt: skip
