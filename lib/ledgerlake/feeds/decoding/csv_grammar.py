"""CSV read strictly (RFC 4180, with what a source declares): whole well-formed rows, and rows that are refused with their line.

A row ends where the grammar says, never where a reader guesses: a quote inside an unquoted field
or text after a closing quote refuses its row; a quoted field that runs over lines and ends badly, or
never, refuses the file, because where its rows begin is unknown. Long runs of good rows are found by
one regular expression, whose groups give nothing back, so it takes a time that grows with the text alone.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Options
from ledgerlake.feeds.decoding.bodies import NO_LIMITS, Body, Limits, check_line, pieces

STRAY, AFTER = "a quote inside an unquoted field", "text after a closing quote"
_RETURN = "a carriage return outside of quotes: the line ends otherwise than the lines before it"
_FEED_ONLY = "the line ends in LF where CRLF ends the others"
_ESCAPED = "the file ends with an escape character"
_MARK = b"\xef\xbb\xbf"
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class CsvOptions(Options):
    """How CSV is written. ``null`` is the text that stands for null where it is not quoted; an empty field is null too.

    A quote inside a quoted field is doubled, or follows ``escape``, which takes the meaning of any character.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    escape: str | None = Field(default=None, min_length=1, max_length=1)
    line_end: Literal["auto", "lf", "crlf"] = "auto"
    encoding: str = "utf-8"
    null: str = ""

    def check_dialect(self) -> None:
        """Raise ``ValueError`` where the options cannot be told apart in a file."""
        marks = [m for m in (self.delimiter, self.quote, self.escape) if m is not None]
        if len(set(marks)) < len(marks) or not all(m.isascii() and m not in "\r\n\0" for m in marks):
            raise ValueError("`delimiter`, `quote` and `escape` must be three different ASCII characters")
        if self.escape and self.escape in self.null:
            raise ValueError("`null` cannot hold the `escape` character: what is escaped is text")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError(f"`encoding` {self.encoding!r} is not known: utf-8, utf-16, cp1252, …") from None


@dataclass(frozen=True)
class Run:
    """Whole well-formed rows as UTF-8; the first of them stands on ``line``, counted from 1."""

    text: bytes
    line: int


@dataclass(frozen=True)
class Bad:
    """A row that is none, and why."""

    text: bytes
    line: int
    problem: str


class Grammar:
    """The rows of one dialect as regular expressions; ``crlf`` says how its lines end."""

    def __init__(self, options: CsvOptions, *, crlf: bool) -> None:
        self.options, self.crlf = options, crlf
        self.end = b"\r\n" if crlf else b"\n"
        d, q, e = (re.escape(m.encode()) if m else b"" for m in (options.delimiter, options.quote, options.escape))
        escaped = rb"|%s[\s\S]" % e if e else b""
        plain = rb"(?:[^%s\r\n]++%s)*+" % (d + q + e, escaped)
        quoted = rb"%s(?:[^%s]++|%s%s)*+%s" % (q, q + e, q + q, escaped, q) if q else b"(?!)"
        field = rb"(?:%s|%s)" % (quoted, plain)
        row = rb"%s(?:%s%s)*+" % (field, d, field)
        self.quoted, self.plain, self.field = re.compile(quoted), re.compile(plain), re.compile(field)
        self.row, self._rest = re.compile(row + self.end), re.compile(rb"[^%s\n]*+" % d)
        self._rows = re.compile(rb"(?:%s%s)*+" % (row, self.end))
        self._marks = [m.encode() for m in (options.quote, options.escape) if m]
        self._delimiter, self._quote = options.delimiter.encode(), (options.quote or "").encode()

    def is_plain(self, text: bytes) -> bool:
        """Say whether nothing is to be understood in ``text`` but the ends of its lines, which are all alike."""
        if any(mark in text for mark in self._marks):
            return False
        feeds = text.count(b"\n") if self.crlf else 0
        return text.count(b"\r") == feeds == (text.count(b"\r\n") if self.crlf else 0)

    def good_until(self, text: bytes, start: int) -> int:
        """Return where the whole well-formed rows end that begin at ``start``."""
        found = self._rows.match(text, start)
        return found.end() if found else start

    def bad_row(self, text: bytes, start: int, line: int, *, last: bool, name: str) -> Bad | None:
        """Return the row at ``start``, which is not well-formed; None where more text may mend it."""
        at, problem = start, None
        while True:
            opened, quoted = at, self._quote != b"" and text.startswith(self._quote, at)
            found = (self.quoted if quoted else self.plain).match(text, at)
            if found is None and last:
                raise _unclosed("a quote that opens here is never closed", name, line + text.count(b"\n", start, at))
            at = len(text) if found is None else found.end()
            if at >= len(text) - 1 and not last:
                return None
            if not text.startswith(
                (self._delimiter, b"\n"), at
            ):  # the field ends badly: it goes on to the next delimiter
                if quoted and b"\n" in text[opened:at]:
                    what = "a quote that opens here closes on another line, and text follows"
                    raise _unclosed(what, name, line + text.count(b"\n", start, opened))
                problem = problem or _why(text, at, quoted=quoted)
                at = self._rest.match(text, at).end()  # type: ignore[union-attr]
            if not text.startswith(self._delimiter, at):
                break
            at += 1
        if at == len(text) and not last:
            return None
        return Bad(text[start : at + 1], line, problem or _FEED_ONLY)


def _why(text: bytes, at: int, *, quoted: bool) -> str:
    if at >= len(text):
        return _ESCAPED
    return _RETURN if text.startswith(b"\r", at) else AFTER if quoted else STRAY


def _unclosed(what: str, name: str, line: int) -> SourceError:
    return SourceError(
        f"{what}: where rows begin is unknown", where=Where(file=name, line=line),
        then="have the export quote its fields; declare `quote:` or `escape:` if it is written otherwise",
    )  # fmt: skip


def scan(name: str, body: Body, options: CsvOptions, limits: Limits = NO_LIMITS) -> Iterator[tuple[Grammar, Run | Bad]]:
    """Yield a file's rows in order, good ones in runs; a last row without a line end is normal.

    Raises :class:`SourceError` for what :func:`ledgerlake.feeds.decoding.bodies.pieces` refuses, for
    text that is not of the declared encoding, and where quotes do not tell where rows begin.
    """
    grammar: Grammar | None = None
    left, line = b"", 1
    for piece, last in _with_last(utf8(name, pieces(name, body, limits, text="CSV files"), options.encoding)):
        text = left + piece
        grammar = grammar or _grammar_of(text, options, last=last)
        if grammar is None:
            left = text
        else:
            if last and text and not text.endswith(b"\n"):
                text += grammar.end
            at, plain = 0, grammar.is_plain(text)
            while at < len(text):
                until = text.rfind(b"\n") + 1 if plain else grammar.good_until(text, at)
                bad = None if until > at else grammar.bad_row(text, at, line, last=last, name=name)
                if until <= at and bad is None:
                    break
                found = bad or Run(text[at:until], line)
                yield grammar, found
                line, at = line + found.text.count(b"\n"), at + len(found.text)
            left = text[at:]
        check_line(name, len(left), limits)


def utf8(name: str, texts: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield text of ``encoding`` as UTF-8 without a byte order mark; raises :class:`SourceError` where it is none."""
    codec = codecs.lookup(encoding).name
    decoder, lines, first = codecs.getincrementaldecoder(codec)("strict"), 0, True
    for piece in texts:
        if first:
            _check_marks(name, piece, codec)
        plain = codec == "utf-8" and piece.isascii() and not decoder.getstate()[0]
        try:
            text = piece if plain else decoder.decode(piece).encode()
        except UnicodeError as error:
            raise _misread(name, encoding, 1 + lines + _lines_before(error)) from error
        if b"\0" in text:
            line = 1 + lines + text.count(b"\n", 0, text.index(b"\0"))
            raise SourceError(
                "a NUL byte: binary content, or another encoding", where=Where(file=name, line=line),
                then="declare `encoding:` (utf-16?) on the source",
            )  # fmt: skip
        lines += text.count(b"\n")
        yield text.removeprefix(_MARK) if first else text
        first = False
    try:
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise _misread(name, encoding, 1 + lines) from error


def _check_marks(name: str, piece: bytes, codec: str) -> None:
    """Raise where a byte order mark contradicts what is declared."""
    marked = next((kind for mark, kind in _MARKS.items() if piece.startswith(mark)), None)
    told = marked or ("UTF-8" if piece.startswith(_MARK) else None)
    if told and not codec.startswith(told.lower()):
        raise SourceError(
            f"its byte order mark says {told}, where `encoding: {codec}` is declared", where=Where(file=name),
            then=f"declare `encoding: {told.lower()}` on the source",
        )  # fmt: skip


def _lines_before(error: UnicodeError) -> int:
    return error.object.count(b"\n", 0, error.start) if isinstance(error, UnicodeDecodeError) else 0


def _misread(name: str, encoding: str, line: int) -> SourceError:
    return SourceError(
        f"not {encoding}: the first bytes that are none", where=Where(file=name, line=line),
        then="declare the `encoding:` that the source writes (cp1252, utf-16, …)",
    )  # fmt: skip


def _grammar_of(text: bytes, options: CsvOptions, *, last: bool) -> Grammar | None:
    """Return the grammar of a file that begins with ``text``; None where that does not show how a line ends."""
    if options.line_end != "auto":
        return Grammar(options, crlf=options.line_end == "crlf")
    for crlf in (False, True):  # a line break inside quotes tells nothing
        if (grammar := Grammar(options, crlf=crlf)).row.match(text):
            return grammar
    first = text.find(b"\n")
    return Grammar(options, crlf=text[:first].endswith(b"\r")) if first >= 0 or last else None


def _with_last(texts: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each text with whether it is the last."""
    before: bytes | None = None
    for text in texts:
        if before is not None:
            yield before, False
        before = text
    if before is not None:
        yield before, True
