"""Well-formed CSV rows as columns: pyarrow parses what the grammar has proven, rows of another width are told one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
from pyarrow import csv

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.bodies import Body, Limits
from ledgerlake.feeds.decoding.csv_grammar import Bad, CsvOptions, Grammar, Run, scan

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Rows:
    """Some rows: places in their file, values as text by the place of their column, and the rows as they stand there."""

    ordinals: Sequence[int]
    columns: Sequence[pa.Array]
    text: bytes
    grammar: Grammar

    def raws(self, chosen: Sequence[object]) -> list[str | None]:
        """Return the chosen rows as delivered, None for the others."""
        found = (m.group().removesuffix(self.grammar.end) for m in self.grammar.row.finditer(self.text))
        rows = found if len(self.columns) == 1 else filter(None, found)
        return [raw.decode() if yes else None for yes, raw in zip(chosen, rows, strict=True)]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, as delivered, with what is wrong and on which line."""

    ordinal: int
    problem: str
    raw: str


@dataclass(frozen=True)
class CsvColumns:
    """Reads a file's rows of ``width`` columns; with ``header`` the first row is none.

    ``only`` chooses rows by the texts of their first fields: of a file that holds several
    tables' rows, whose widths differ, it leaves one table's.
    """

    options: CsvOptions
    width: int
    header: bool
    only: tuple[bytes, bytes] | None = None

    def __call__(self, name: str, body: Body, limits: Limits) -> Iterator[Rows | BadRow]:
        """Yield the rows of a file; ordinals count all of its rows, from 0."""
        first, header = 0, self.header
        for grammar, part in scan(name, body, self.options, limits):
            if header:
                header, part = False, _without_header(name, grammar, part)
            if isinstance(part, Bad):
                yield BadRow(first, f"line {part.line}: {part.problem}", _shown(part.text))
                first += 1
            elif self.only is not None:
                yield from self._chosen(grammar, part, first)
                first += sum(1 for _ in _each(grammar, part, first, self.width))
            elif part.text:
                rows = list(self._rows(grammar, part, first))
                yield from rows
                first += sum(1 if isinstance(r, BadRow) else len(r.ordinals) for r in rows)

    def _rows(self, grammar: Grammar, run: Run, first: int) -> Iterator[Rows | BadRow]:
        columns = self._parsed(grammar, run.text)
        if columns is None:
            yield from self._fitting(grammar, _each(grammar, run, first, self.width))
        elif len(columns[0]):
            yield Rows(range(first, first + len(columns[0])), columns, run.text, grammar)

    def _chosen(self, grammar: Grammar, run: Run, first: int) -> Iterator[Rows | BadRow]:
        own = []
        for ordinal, line, text in _each(grammar, run, first, self.width):
            head = [_plain(grammar, f) for f in islice(_fields(grammar, text), 3)]
            if len(head) < 3 or not head[1] or not head[2]:
                yield BadRow(ordinal, f"line {line}: a row without table and schema", _shown(text))
            elif (head[1], head[2]) == self.only:
                own.append((ordinal, line, text))
        yield from self._fitting(grammar, own)

    def _fitting(self, grammar: Grammar, rows: Iterable[tuple[int, int, bytes]]) -> Iterator[Rows | BadRow]:
        """Yield rows of the declared width together, and all others one by one."""
        good, ordinals = [], []
        for ordinal, line, text in rows:
            found = sum(1 for _ in _fields(grammar, text))
            if found == self.width:
                good.append(text)
                ordinals.append(ordinal)
            else:
                yield BadRow(ordinal, f"line {line}: {found} columns where {self.width} are declared", _shown(text))
        whole = b"".join(good)
        if whole and (columns := self._parsed(grammar, whole)) is not None:
            yield Rows(ordinals, columns, whole, grammar)

    def _parsed(self, grammar: Grammar, text: bytes) -> list[pa.Array] | None:
        """Return the columns of well-formed rows, None where one is of another width.

        Beside the width, what pyarrow reads is what the grammar has matched; only its habit of
        dropping a byte order mark, which at the start of a run is text, is kept from it.
        """
        options, marked = self.options, text.startswith(_MARK)
        names = [str(n) for n in range(self.width)]
        if marked:
            text = options.delimiter.encode() * (self.width - 1) + b"x" + grammar.end + text
        try:
            found = csv.read_csv(
                pa.BufferReader(text),
                read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 1),
                parse_options=csv.ParseOptions(
                    delimiter=options.delimiter, quote_char=options.quote or False, escape_char=options.escape or False,
                    newlines_in_values=True, ignore_empty_lines=self.width > 1,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), null_values=["", options.null], strings_can_be_null=True,
                    quoted_strings_can_be_null=options.null == "",
                ),
            )  # fmt: skip
        except pa.ArrowInvalid:
            return None
        return [
            column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
            for column in found.slice(1 if marked else 0).columns
        ]


def first_row(name: str, body: Body, options: CsvOptions, limits: Limits) -> list[str]:
    """Return the fields of a file's first row, having checked the frame of the whole file.

    Raises :class:`SourceError` as :func:`ledgerlake.feeds.decoding.csv_grammar.scan` does, and where the first row is none.
    """
    found: list[str] | None = None
    for grammar, part in scan(name, body, options, limits):
        if found is None:
            run = _run(name, part)
            found = [f.decode() for f in fields_of(grammar, run.text)]
    if found is None:
        raise SourceError("the file is empty", where=Where(file=name))
    return found


def rows_of(name: str, body: Body, options: CsvOptions, limits: Limits) -> Iterator[list[str]]:
    """Yield the fields of each well-formed row; raises as :func:`first_row` does."""
    first = True
    for grammar, part in scan(name, body, options, limits):
        if first or isinstance(part, Run):
            for _, _, text in _each(grammar, _run(name, part), 0, 0):
                yield [f.decode() for f in fields_of(grammar, text)]
        first = False


def _run(name: str, part: Run | Bad) -> Run:
    """Return what stands first in a file, which must be whole."""
    if isinstance(part, Bad):
        raise SourceError(f"the first row is not CSV: {part.problem}", where=Where(file=name, line=part.line))
    return part


def fields_of(grammar: Grammar, row: bytes) -> list[bytes]:
    """Return a well-formed row's fields, unquoted and unescaped."""
    return [_plain(grammar, text) for text in _fields(grammar, row)]


def _fields(grammar: Grammar, row: bytes) -> Iterator[bytes]:
    """Yield a well-formed row's fields as they are written."""
    delimiter, at = grammar.options.delimiter.encode(), 0
    while True:
        found = grammar.field.match(row, at)
        assert found is not None, "an empty field matches"
        yield found.group()
        if not row.startswith(delimiter, found.end()):
            return
        at = found.end() + 1


def _plain(grammar: Grammar, text: bytes) -> bytes:
    quote, escape = (grammar.options.quote or "").encode(), (grammar.options.escape or "").encode()
    quoted = quote != b"" and text.startswith(quote)
    text = text[1:-1] if quoted else text
    written = ([re.escape(escape) + rb"([\s\S])"] if escape else []) + ([re.escape(quote) * 2] if quoted else [])
    return re.sub(b"|".join(written), lambda m: m[1] if m.lastindex else quote, text) if written else text


def _each(grammar: Grammar, run: Run, first: int, width: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield ordinal, line and text of each row; blank lines are none, but for files of one column."""
    ordinal, line = first, run.line
    for found in grammar.row.finditer(run.text):
        text = found.group()
        if width == 1 or text != grammar.end:
            yield ordinal, line, text
            ordinal += 1
        line += text.count(b"\n")


def _without_header(name: str, grammar: Grammar, part: Run | Bad) -> Run:
    run = _run(name, part)
    found = grammar.row.match(run.text)
    assert found is not None, "a run holds a row"
    return Run(run.text[found.end() :], run.line + found.group().count(b"\n"))


def _shown(text: bytes) -> str:
    return text.rstrip(b"\r\n").decode()
