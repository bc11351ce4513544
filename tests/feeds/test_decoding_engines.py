"""A batch is the same whether it is decoded in this process or in Spark's workers."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.frame import Decoder, decoded
from ledgerlake.feeds.event_export.json import JsonEvents
from ledgerlake.feeds.postgres.wal2json_lines import Wal2JsonLines
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.ports.objects import LocalObjects
from ledgerlake.testing.wal2json import INSERT, body, pairs, row, transaction

COLUMNS = [{"name": n, "type": "string", "nullable": n != "id"} for n in ("id", "owner", "city")]


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
    frame = decoded(spark, reading, make, here_bytes=here_bytes)
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
