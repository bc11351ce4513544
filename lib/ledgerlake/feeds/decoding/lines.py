"""An object of JSON lines, a chunk of lines at a time, so that memory does not grow with the object."""

from __future__ import annotations

from collections.abc import Iterator

from ledgerlake.feeds.json_lines import content

_MARK = b"\xef\xbb\xbf"


def chunks(name: str, body: bytes | memoryview) -> Iterator[list[bytes]]:
    """Yield lists of lines without their ends (LF or CRLF); blank lines are lines.

    A byte order mark before the first line is dropped. Raises :class:`SourceError` as
    :func:`ledgerlake.feeds.json_lines.content` does.
    """
    rest, marked = b"", True
    for piece in content(name, body):
        text = rest + piece
        if marked and len(text) >= len(_MARK):
            text, marked = text.removeprefix(_MARK), False
        cut = text.rfind(b"\n")
        if cut >= 0:
            yield _split(text[:cut])
        rest = text[cut + 1 :]
    if rest:
        yield _split(rest)


def _split(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in text else lines
