"""CSV is read strictly: a row is what the grammar says, all else is refused with its line; never two rows in one."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.errors import SourceError
from ledgerlake.feeds.decoding.bodies import NO_LIMITS, Limits
from ledgerlake.feeds.decoding.csv_columns import BadRow, CsvColumns, first_row, rows_of
from ledgerlake.feeds.decoding.csv_grammar import CsvOptions


def read(text: str | bytes, limits: Limits = NO_LIMITS, *, header: bool = False, **options: Any) -> dict[int, Any]:
    """Return ordinal → the row's three values, or what is wrong with it."""
    body = text if isinstance(text, bytes) else text.encode()
    found: dict[int, Any] = {}
    for rows in CsvColumns(CsvOptions(**options), 3, header)("a.csv", body, limits):
        if isinstance(rows, BadRow):
            found[rows.ordinal] = rows.problem
        else:
            found |= dict(zip(rows.ordinals, zip(*(c.to_pylist() for c in rows.columns), strict=True), strict=True))
    return found


def refused(text: str | bytes, limits: Limits = NO_LIMITS, **options: Any) -> str:
    with pytest.raises(SourceError) as error:
        read(text, limits, **options)
    return f"{error.value.where.line}: {error.value.what}"


ROWS = {
    "plain": ("a,b,c\nd,,f\n", {}, [("a", "b", "c"), ("d", None, "f")]),
    "no last line end": ("a,b,c\nd,e,f", {}, [("a", "b", "c"), ("d", "e", "f")]),
    "CRLF": ("a,b,c\r\nd,e,f\r\n", {}, [("a", "b", "c"), ("d", "e", "f")]),
    "CRLF, the first line break in quotes": (
        '"a\n1",b,c\r\nd,e,f\r\n', {}, [("a\n1", "b", "c"), ("d", "e", "f")]
    ),
    "LF, a CRLF in quotes": ('a,"b\r\n1",c\nd,e,f\n', {}, [("a", "b\r\n1", "c"), ("d", "e", "f")]),
    "quotes, delimiters and line breaks in quotes": ('"a ""1""","b,2","c\n3"\n', {}, [('a "1"', "b,2", "c\n3")]),
    "an empty text in quotes is null where the null text is empty": ('"",b,c\n', {}, [(None, "b", "c")]),
    "a quoted null text is text": ('"NULL",NULL,""\n', {"null": "NULL"}, [("NULL", None, "")]),
    "an escape takes the meaning of a quote": ('"5\\" pipe",b,c\n', {"escape": "\\"}, [('5" pipe', "b", "c")]),
    "an escape takes the meaning of a delimiter": ("a\\,1,b,c\n", {"escape": "\\"}, [("a,1", "b", "c")]),
    "quotes are text where none are declared": ('5" pipe,b,c\n', {"quote": None}, [('5" pipe', "b", "c")]),
    "inch marks in a TSV without quotes": ('5"\t6"\tc\n', {"quote": None, "delimiter": "\t"}, [('5"', '6"', "c")]),
    "apostrophes as quotes": ("'a, 1',b,c\n", {"quote": "'"}, [("a, 1", "b", "c")]),
    "blank lines are no rows": ("a,b,c\n\n\nd,e,f\n\n", {}, [("a", "b", "c"), ("d", "e", "f")]),
    "a byte order mark": ("\ufeffa,b,c\n", {}, [("a", "b", "c")]),
    "letters of cp1252": ("é,b,c\n".encode("cp1252"), {"encoding": "cp1252"}, [("é", "b", "c")]),
    "UTF-16": ("é,b,c\n".encode("utf-16"), {"encoding": "utf-16"}, [("é", "b", "c")]),
    "gzip under any name": (gzip.compress(b"a,b,c\n"), {}, [("a", "b", "c")]),
    "bzip2": (bz2.compress(b"a,b,c\n"), {}, [("a", "b", "c")]),
    "xz": (lzma.compress(b"a,b,c\n"), {}, [("a", "b", "c")]),
    "zstd": (pa.compress(b"a,b,c\n", codec="zstd", asbytes=True), {}, [("a", "b", "c")]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_read_as_declared(name: str) -> None:
    text, options, rows = ROWS[name]
    assert list(read(text, **options).values()) == rows


BAD_ROWS = {
    "a quote inside an unquoted field": ('a,5" pipe,c\nd,e,f\n', "line 1: a quote inside an unquoted field"),
    "inch marks in two fields": ('a,5",6"\nd,e,f\n', "line 1: a quote inside an unquoted field"),
    "text after a closing quote": ('"a"x,b,c\nd,e,f\n', "line 1: text after a closing quote"),
    "a backslash that is no escape": ('"a\\"b",c,d\nd,e,f\n', "line 1: text after a closing quote"),
    "too wide": ("a,b,c,x\nd,e,f\n", "line 1: 4 columns where 3 are declared"),
    "too narrow": ("a,b\nd,e,f\n", "line 1: 2 columns where 3 are declared"),
    "LF among CRLF": ("a,b,c\nd,e,f\r\ng,h,i\r\n", "line 1: the line ends in LF"),
    "CRLF among LF": ("d,e,f\na,b,c\r\n", "line 2: a carriage return outside of quotes"),
    "a carriage return alone": ("d,e,f\na,b\r,c\n", "line 2: a carriage return outside of quotes"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_is_none_is_refused_with_its_line_and_the_others_are_read(name: str) -> None:
    text, says = BAD_ROWS[name]
    line_end = {"line_end": "crlf"} if name == "LF among CRLF" else {}
    found = read(text, **line_end)

    assert next(p for p in found.values() if isinstance(p, str)).startswith(says)
    assert ("d", "e", "f") in found.values()


def test_a_quoted_line_break_in_a_bad_row_is_no_end_of_it() -> None:
    found = read('5" pipe,"x\n1,2,3\n",c\nd,e,f\n')
    assert found == {0: "line 1: a quote inside an unquoted field", 1: ("d", "e", "f")}


BAD_FILES = {
    "a quote that is never closed": ('a,b,c\n1,"x,2\n2,y,3\n', {}, "2: a quote that opens here is never closed"),
    "a quote that swallows a row behind a bad field": (
        '5" pipe,"x,c\n1,"2",3\n',
        {},
        "1: a quote that opens here closes on another line",
    ),
    "a quote that swallows a row": ('1,"x,2\n2,"y",3\n', {}, "1: a quote that opens here closes on another line"),
    "another encoding": ("a,b,c\né,b,c\n".encode("latin-1"), {}, "2: not utf-8"),
    "UTF-16 where UTF-8 is declared": ("a,b,c\n".encode("utf-16"), {}, "None: its byte order mark says UTF-16"),
    "UTF-8 where UTF-16 is declared": (
        b"\xef\xbb\xbfa,b,c\n",
        {"encoding": "utf-16"},
        "None: its byte order mark says UTF-8",
    ),
    "UTF-16 without a mark": ("a,b,c\n".encode("utf-16-le"), {}, "1: a NUL byte"),
    "a zip archive": (b"PK\x03\x04rest", {}, "None: a zip archive"),
    "Parquet": (b"PAR1rest", {}, "None: a Parquet file"),
    "gzip cut short": (gzip.compress(b"a,b,c\n" * 99)[:-9], {}, "None: the gzip stream is cut short"),
    "gzip damaged": (gzip.compress(b"a,b,c\n" * 99)[:20] + b"x" * 20, {}, "None: not a gzip stream"),
    "bzip2 cut short": (bz2.compress(b"a,b,c\n" * 99)[:-9], {}, "None: the bzip2 stream is cut short"),
    "empty": (b"", {}, "None: the file is empty"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_whose_rows_cannot_be_known_is_refused_with_what_is_wrong(name: str) -> None:
    text, options, says = BAD_FILES[name]
    assert refused(text, **options).startswith(says)


def test_a_bomb_is_refused_while_it_is_unfolded() -> None:
    bomb = gzip.compress(b"0" * (1 << 26), compresslevel=9)
    assert "more than 200 times" in refused(bomb)
    assert "more than 1,000 bytes" in refused(bomb, Limits(unfolded_bytes=1000))


@pytest.mark.parametrize("text", [b"x" * 5_000_000, b'"' + b"x\n" * 2_500_000], ids=["a line", "a quoted field"])
def test_a_line_longer_than_declared_is_refused_and_told(text: bytes) -> None:
    assert "a line of more than 1,000,000 bytes" in refused(text, Limits(line_bytes=1_000_000))


fields = st.text(alphabet='ab",\n\r \\é', max_size=6)


@given(
    st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans()
)
def test_what_a_writer_wrote_comes_back(rows: list[tuple[str, str, str]], end: str, every: bool) -> None:
    sink = io.StringIO()
    every = every or any("\r" in value for row in rows for value in row)  # Python's writer does not quote these
    csv.writer(sink, lineterminator=end, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL).writerows(rows)
    declared = {"line_end": "crlf" if end == "\r\n" else "lf"}

    found = read(sink.getvalue(), **declared)

    assert list(found.values()) == [tuple(v or None for v in row) for row in rows]


@given(st.text(alphabet='a",\n\r', max_size=60))
def test_no_text_gives_more_rows_than_it_has_lines_and_every_byte_of_a_row_is_its_own(text: str) -> None:
    """Whatever is delivered: a row that is read is on as many lines as its quoted line breaks say."""
    try:
        found = read("a,a,a\n" + text, line_end="lf")
    except SourceError:
        return
    good = [row for row in found.values() if isinstance(row, tuple)]
    strict = (
        list(csv.reader(io.StringIO(text, newline=""), strict=False)) if '"' not in text and "\r" not in text else None
    )
    assert len(found) <= text.count("\n") + 2
    if strict is not None:
        assert good[1:] == [tuple(v or None for v in row) for row in strict if len(row) == 3]


def test_pieces_do_not_change_what_is_read() -> None:
    rows = "".join(f'{n},"x{n}\n""y""",{"z" * (n % 97)}\n' for n in range(120_000))  # several pieces
    found = read(rows)
    assert len(found) == 120_000
    assert found[119_999] == ("119999", 'x119999\n"y"', "z" * (119_999 % 97))


def test_many_bad_rows_cost_no_more_than_good_ones() -> None:
    found = read('a,5" pipe,c\n' * 200_000)
    assert len(found) == 200_000
    assert found[199_999] == "line 200000: a quote inside an unquoted field"


def test_the_first_row_and_all_rows_are_told_unquoted() -> None:
    text = b'"a ""1""",b,"c,\n3"\n1,2,3\n'
    assert first_row("a.csv", text, CsvOptions(), NO_LIMITS) == ['a "1"', "b", "c,\n3"]
    assert list(rows_of("a.csv", text, CsvOptions(), NO_LIMITS)) == [['a "1"', "b", "c,\n3"], ["1", "2", "3"]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"delimiter": '"'}, "three different"), ({"escape": ","}, "three different"), ({"delimiter": "§"}, "ASCII"),
        ({"escape": "\\", "null": "\\N"}, "cannot hold"), ({"encoding": "utf-99"}, "not known"),
    ],
)  # fmt: skip
def test_dialects_that_cannot_be_told_apart_are_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CsvOptions(**options).check_dialect()  # type: ignore[arg-type]
