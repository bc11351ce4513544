"""Lines and records of JSON are read exactly, whatever pieces they come in."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.errors import SourceError
from ledgerlake.feeds.decoding.bodies import Limits
from ledgerlake.feeds.decoding.changes import Changes, numbered
from ledgerlake.feeds.decoding.lines import ArrayElements, chunks
from ledgerlake.feeds.decoding.records import Records, record_of, text_at

LONG = b'{"a": "' + b"x" * 3_000_000 + b'"}'


def lines_of(name: str, body: bytes) -> list[bytes]:
    return [line for chunk in chunks(name, body) for line in chunk]


@given(
    st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), min_size=1, max_size=30)
)
def test_lines_come_out_as_they_were_joined(lines: list[bytes]) -> None:
    body = b"{" + b"\n".join(lines) + b"\n"  # begins like JSON, not like gzip or a byte order mark
    assert lines_of("a.json", body) == body[:-1].split(b"\n")
    assert lines_of("a.json.gz", gzip.compress(body)) == body[:-1].split(b"\n")


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"{}\r\n{}\r\n", [b"{}", b"{}"]),
        (b"\xef\xbb\xbf{}\n{}", [b"{}", b"{}"]),
        (b"{}\n\n{}\n", [b"{}", b"", b"{}"]),
        (LONG + b"\n" + LONG, [LONG, LONG]),
    ],
    ids=["CRLF", "byte order mark, no last newline", "blank line", "lines longer than a piece"],
)
def test_ends_of_lines_are_no_part_of_them(body: bytes, lines: list[bytes]) -> None:
    assert lines_of("a.json", body) == lines


def test_an_object_that_holds_more_than_declared_is_refused_however_it_is_folded() -> None:
    for body in (b"{}\n" * 34, gzip.compress(b"{}\n" * 34)):
        with pytest.raises(SourceError, match="more than 100 bytes"):
            list(chunks("a.json", body, Limits(unfolded_bytes=100)))


def test_a_gzip_object_of_several_members_is_read_to_its_end() -> None:
    body = gzip.compress(b"{}\n") + gzip.compress(b'{"a": 1}\n')
    assert lines_of("a.json.gz", body) == [b"{}", b'{"a": 1}']


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 1}{"a": 2}', b'{"a": 1} x', b'{"a": 1},', b"[1]", b"1", b"null", b"", b"{", b"{'a': 1}", b'{"a": NaN}',
        b'{"a": 01}', b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"a": "x\ty"}', b'{"a":' * 100_000,
    ],
)  # fmt: skip
def test_a_line_is_one_json_object_or_no_record(line: bytes) -> None:
    assert record_of(line) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12345678901234567890.10", "12345678901234567890.10"), ("1E5", "1E5"), ("1.0", "1.0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"), ('"1.50"', "1.50"), ("true", "true"),
        ("null", None), ('{ "b": [1.50, "x", {}] }', '{"b":[1.50,"x",{}]}'), ('""', ""), ('"\\u00e9"', "é"),
    ],
)  # fmt: skip
def test_a_value_keeps_its_text_to_the_last_digit(value: str, text: str | None) -> None:
    line = f'{{"a": {{"v": {value}}}}}'.encode()
    record = record_of(line)
    assert record is not None
    assert text_at(record, line, ("a", "v")) == text
    assert Records([line]).columns([("a", "v")])[0].to_pylist() == [text]


TWICE = {
    "a field": b'{"a": 1, "b": 2, "a": 3}',
    "a field that is spelled with an escape": b'{"a": 1, "\\u0061": 3}',
    "a field with its colon apart": b'{"a" : 1, "b": 2, "a" : 3}',
    "a field of an object inside": b'{"a": {"x": 1, "x": 1}, "b": 2}',
    "a field of an object in a list": b'{"a": [{"x": 1}, {"x": 1, "x": 2}], "b": 2}',
    "a field beside text that looks like one": b'{"a": "x\\":", "b": 1, "b": 2}',
    "the same value": b'{"a": 1, "a": 1}',
}


@pytest.mark.parametrize("line", TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_refuses_the_record_alone(line: bytes) -> None:
    good = [b'{"a": 1, "b": 2}', b'{"a": {"x": 1, "y": {"a": 2}}, "b": [{"x": 1}, {"x": 2}]}', b'{"b": "\\"a\\": 1, \\"a\\": 2"}']

    assert Records(good).problems() is None
    assert Records([*good, line, *good]).problems() == [None] * 3 + ["a key stands twice in an object"] + [None] * 3


@pytest.mark.parametrize(
    ("document", "refused"),
    [
        (b'{"data": [{"a": 1}], "data": [{"a": 2}]}', True), (b'{"data": [{"data": 1}], "more": {"data": 2}}', False),
        (b'{"data": [{"a": 1}]}', False),
    ],
)  # fmt: skip
def test_an_array_that_stands_twice_in_its_document_is_refused(document: bytes, refused: bool) -> None:
    def read() -> list[list[bytes]]:
        return list(ArrayElements("data")("f.json", document, Limits()))

    if refused:
        with pytest.raises(SourceError, match="a key stands twice"):
            read()
    else:
        assert len(read()[0]) == 1


def test_columns_of_lines_that_lack_fields_hold_nulls() -> None:
    records = Records([b'{"a": 1, "b": "x"}', b'{"b": null}', b"no record", b'{"a": {"c": 1}}'])
    assert [c.to_pylist() for c in records.columns([("a",), ("b",)])] == [
        ["1", None, None, '{"c":1}'],
        ["x", None, None, None],
    ]
    assert records.columns([("a", "c")])[0].to_pylist() == [None, None, None, "1"]
    assert records.unread == [False, False, True, False]
    assert records.present(("b",)) == [True, True, False, False]
    assert records.problems() == [None, None, "not a JSON object", None]
    assert records.raws(records.problems()) == [None, None, "no record", None]


def test_the_elements_of_an_array_are_its_texts() -> None:
    body = b' {"data": {"items": [ {"a": 1.50}, {"b": [2]} ]}, "more": 1}'
    assert list(ArrayElements("data.items")("a.json", body)) == [[b'{"a": 1.50}', b'{"b": [2]}']]
    assert list(ArrayElements()("a.json.gz", gzip.compress(b"[]"))) == []


@pytest.mark.parametrize("body", [b"{}", b'{"data": 1}', b'{"data": [1]}', b'{"data": [{}', b"nonsense"])
def test_a_document_without_the_array_of_objects_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError):
        list(ArrayElements("data")("a.json", body))


def test_changes_become_arrow_with_numbers_and_booleans_as_text() -> None:
    rows = [(0, "upsert", "p0", None, None, None, "x", 1), (1, "delete", "p1", None, None, ["id"], None, True)]
    schema = pa.schema(
        [("_object", pa.string()), ("_ordinal", pa.int64()), ("_op", pa.string()), ("_position", pa.string()),
         ("_problem", pa.string()), ("_raw", pa.string()), ("_carried", pa.list_(pa.string())), ("id", pa.string()), ("n", pa.string())]
    )  # fmt: skip
    batch = Changes.of_rows(rows, 2).batch("landing/o", schema)
    assert batch.column("n").to_pylist() == ["1", "true"]
    assert batch.column("_carried").to_pylist() == [None, ["id"]]
    assert Changes.of_rows([], 2).batch("landing/o", schema).num_rows == 0


def test_numbered_texts_sort_like_their_numbers() -> None:
    assert numbered("a|", range(8, 11), 4).to_pylist() == ["a|0008", "a|0009", "a|0010"]
