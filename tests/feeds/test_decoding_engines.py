"""A batch is the same whether it is decoded in this process or in Spark's workers."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Table
from ledgerlake.engines.door import Engines
from ledgerlake.errors import SourceError
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.csv_files import CsvSource, CsvUpserts
from ledgerlake.feeds.decoding.faults import attributed, fault_in
from ledgerlake.feeds.decoding.frame import Decoder, decoded, read_objects
from ledgerlake.feeds.event_export.json import JsonEvents
from ledgerlake.feeds.postgres.wal2json_lines import Wal2JsonLines
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.ports.objects import LocalObjects
from ledgerlake.testing.wal2json import INSERT, body, pairs, row, transaction

COLUMNS = [{"name": n, "type": "string", "nullable": n != "id"} for n in ("id", "owner", "city")]


def engines_of(spark: Any) -> Engines:
    return Engines(Environment(environment="test", lake="", sources=""), lambda: spark)


def rows_of(
    spark: Any, lake: Path, table: dict[str, Any], decoder: type, objects: dict[str, bytes], here_bytes: int
) -> list[Any]:
    declared = Table.model_validate({"table": "people", "source": "s", "key": ["id"], "columns": COLUMNS} | table)
    landed = []
    for name, content in objects.items():
        path = f"landing/bank/people/{len(landed):016x}/{name}"
        (lake / path).parent.mkdir(parents=True, exist_ok=True)
        (lake / path).write_bytes(content)
        landed.append(LandedObject(path, name, "", len(content), datetime(2026, 3, 1, tzinfo=UTC)))
    make: Decoder = decoder(declared)
    reading = Reading(declared, tuple(landed), LocalObjects(lake), {})
    frame = engines_of(spark).frame(decoded(engines_of(spark), reading, make, here_bytes=here_bytes))
    return [tuple(r) for r in frame.orderBy("_object", "_ordinal", "_op").collect()]


def both(spark: Any, lake: Path, table: dict[str, Any], decoder: type, objects: dict[str, bytes]) -> list[Any]:
    here, workers = (rows_of(spark, lake, table, decoder, objects, most) for most in (1 << 30, 0))
    assert here == workers
    return here


def test_events_and_lines_that_are_none_are_told_alike(spark: Any, tmp_path: Path) -> None:
    lines = b'{"id": "1", "owner": 1.50, "city": {"a": [1.0]}}\n\xff\n{"id": true}\r\n\n{"id": "2"} {}'
    objects = {
        "t+0+0000000007.json": lines,
        "t+1+0000000000.json.gz": gzip.compress(lines * 3),
        "t+2+0000000000.json": b" ",
    }

    rows = both(spark, tmp_path, {"resource": "people"}, JsonEvents, objects)

    assert len(rows) == 5 + 13 + 1
    assert rows[0][1:4] + rows[0][7:] == (0, "upsert", "000000|00000000000000000007", "1", "1.50", '{"a":[1.0]}')
    assert [r[4] for r in rows[:5]] == [None, "not a JSON object", None, "not a JSON object", "not a JSON object"]


def test_a_transaction_that_spans_chunks_of_lines_goes_on_in_the_next(spark: Any, tmp_path: Path) -> None:
    inserts = [row("I", pairs(id=str(n), owner="x" * 200, city=None)) for n in range(12_000)]  # more than one piece
    objects = {"one.json": body(*transaction(*inserts, lsn="1/A")), "two.json": body(*transaction(INSERT))}

    rows = both(spark, tmp_path, {"resource": "public.people"}, Wal2JsonLines, objects)

    assert [r[3] for r in rows[:12_000]] == [f"000000010000000A|{n + 1:012d}" for n in range(12_000)]
    assert len(rows) == 12_001


@pytest.mark.parametrize("here_bytes", [1 << 30, 0], ids=["here", "in Spark's workers"])
def test_what_a_decoder_refuses_is_an_error_of_its_object(spark: Any, tmp_path: Path, here_bytes: int) -> None:
    objects = {"t+0+0.json": b'{"id": "1", "city": "Bonn", "owner": "Ann"}', "t+0+1.json": b'{"id": "2", "City": "Ulm"}'}
    with pytest.raises(Exception) as raised:
        rows_of(spark, tmp_path, {"resource": "people"}, JsonEvents, objects, here_bytes)

    told = fault_in(raised.value)

    assert isinstance(told, SourceError)
    assert (told.what, told.where.file) == ("no record has 'city'; did you mean 'City'?", "t+0+1.json")
    assert told.then.startswith("declare `source:`")


def test_whatever_is_raised_while_an_object_is_decoded_is_its_error() -> None:
    with pytest.raises(SourceError, match=r"cannot be read \(ZeroDivisionError\)") as raised, attributed("a.json"):
        raise ZeroDivisionError
    assert raised.value.where.file == "a.json"
    assert fault_in(ValueError("of no object")) is None


def test_csv_is_read_alike_here_and_in_sparks_workers(spark: Any, tmp_path: Path) -> None:
    layout = tuple((n, "string") for n in ("id", "owner", "city"))
    body = b'id,owner,city\n1,"A ""x""\n",\n2,5" pipe,Bonn\n3,Bob\n4,Cid,Kiel'
    table = Table.model_validate({"table": "people", "source": "s", "key": ["id"], "resource": "people", "columns": COLUMNS})
    item = LandedObject("landing/bank/people/00/o-a.csv", "a.csv", "", len(body), datetime(2026, 3, 1, tzinfo=UTC), layout)
    (tmp_path / item.path).parent.mkdir(parents=True)
    (tmp_path / item.path).write_bytes(body)
    reading = Reading(table, (item,), LocalObjects(tmp_path), {})
    read = CsvUpserts(table, CsvSource(), {item.path: "x"})
    engines = engines_of(spark)
    frames = [engines.frame(read_objects(engines, reading, read, here_bytes=most)) for most in (1 << 30, 0)]
    here, workers = ([tuple(r) for r in f.orderBy("_ordinal").collect()] for f in frames)

    assert here == workers
    assert [r[4:6] for r in here] == [
        (None, None), ("line 4: a quote inside an unquoted field", '2,5" pipe,Bonn'),
        ("line 5: 2 columns where 3 are declared", "3,Bob"), (None, None),
    ]  # fmt: skip
    assert here[0][7:] == ("1", 'A "x"\n', None)
