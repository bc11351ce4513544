"""Draws declarations and deliveries as people and systems get them wrong: names, types, formats, bytes, mistakes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

TYPES = ("string", "integer", "bigint", "decimal(9,2)", "decimal(38,18)", "boolean", "date", "timestamp")
SOURCES = (
    "Amount",
    "user.name",
    "a`b",
    "a:b",
    "Über",
    " id",
    "_object",
    "_order",
    "Op",
    "None",
    "r_id",
    "order",
    "x y",
    "名",
)
GOOD = {
    "string": ("x", "Ann", "007", "a,b", 'say "hi"', "ü", "\ufffd", " ", "null"),
    "integer": ("1", "-7", "30.0", "2147483647"),
    "bigint": ("1", "9223372036854775807", "+5"),
    "decimal(9,2)": ("1.00", "-0.5", "1e2", "1234567.89"),
    "decimal(38,18)": ("1", "0.000000000000000001"),
    "boolean": ("true", "false", "1", "0"),
    "date": ("2026-03-01", "2024-02-29", "0001-01-01"),
    "timestamp": ("2026-03-01T10:00:00Z", "2026-03-01 10:00:00", "2026-03-01T10:00:00.123456+02:00"),
}
HOSTILE = (
    "", " ", "banana", "1_000", "٣", "1e400", "1e-400", "NaN", "Infinity", "2026-03-01 banana", "0000-01-01", "0044-03-15 BC",
    "2026-03-01T25:00:00Z", "2026-03-01 10:00 BST", "9223372036854775808", "58136-01-01", "0x1F", "1.005", "7.9", "\x00", "'; DROP",
    "[/]", "\x1b[31m", "a" * 3000, "-", "+", ".", "1,000", "२०२६-०३-०१", "true ", "\\N", "{}", "[1]",
)  # fmt: skip
FILES = ("2026-02-{:02d}.csv", "export_{}.csv", "_hidden_{}.csv", ".dot{}.csv", "({}) copy.csv", "übersicht {}.csv", "20260228-10000{:d}000.csv",
         "03-04-2026 {}.csv", "{}.csv._COPYING_", "2026/02/{}/a.csv", "{}.csv.gz", "data")  # fmt: skip


@dataclass
class Case:
    """One table: its source and declaration as YAML, and what is delivered, by path; ``records`` where that is certain."""

    name: str
    source: dict[str, Any]
    table: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    good: tuple[str, bytes] = ("", b"")

    def __str__(self) -> str:
        shown = {path: body[:300] for path, body in self.files.items()}
        return f"{yaml.safe_dump([self.source, self.table], allow_unicode=True)}\n{shown}"


def drawn(seed: int, number: int) -> Case:
    """Return the case of a number: the same for the same seed, anywhere."""
    rng = Random(f"{seed}:{number}")
    name, form = f"t{number}", rng.choice(["csv", "csv", "json_lines", "json_array", "parquet", "dms", "events"])
    columns = _columns(rng)
    source, table_feed = _source(rng, name, form, columns)
    table: dict[str, Any] = {
        "table": name,
        "source": f"s_{name}",
        "resource": "things",
        "key": ["id"],
        "columns": columns,
    }
    if table_feed:
        table["feed"] = table_feed
    _options(rng, table)
    case = Case(name, source, table)
    for n in range(rng.choice([0, 1, 1, 2, 3])):
        path, body = _delivery(rng, form, columns, source, n)
        case.files[f"{name}/things/{path}"] = body
    rows = [{c["name"]: _value(rng, c, 0) for c in columns}]
    rows[0]["id"] = {"string": "zz", "date": "2026-03-01"}.get(columns[0]["type"], "9")
    case.good = (f"{name}/things/{_name(form, 'good', 900_000)}", _written(rng, form, columns, rows, source))
    return case


def _columns(rng: Random) -> list[dict[str, Any]]:
    columns: list[dict[str, Any]] = [
        {"name": "id", "type": rng.choice(["string", "string", "bigint", "date"]), "nullable": False}
    ]
    for name in rng.sample(
        ["name", "r_name", "amount", "currency", "at", "p_id", "e_amount", "flag"], rng.randint(1, 4)
    ):
        column: dict[str, Any] = {"name": name, "type": rng.choice(TYPES)}
        kind = column["type"]
        chance = rng.random()
        if chance < 0.15:
            column["source"] = rng.choice(SOURCES)
        elif chance < 0.2:
            column["nullable"] = False
        elif chance < 0.25:
            column["min"] = rng.choice([*GOOD[kind], "1,000", "2026-13-01"])
        elif chance < 0.3:
            column["pattern"] = rng.choice(["^x+$", "(", "[0-9]{2}"])
        elif chance < 0.35:
            column["allowed"] = [rng.choice([*GOOD[kind], "banana"])]
        elif chance < 0.45 and kind == "timestamp":
            column["format"] = rng.choice(["epoch_seconds", "epoch_millis"])
        elif chance < 0.5 and kind.startswith("decimal"):
            column |= {"currency": rng.choice(["currency", "nope"]), "unit": rng.choice(["major", "minor", "stripe"])}
        columns.append(column)
    return columns


def _source(rng: Random, name: str, form: str, columns: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    options: dict[str, Any] = {}
    feed: dict[str, Any] = {}
    if form == "csv":
        options = {"delimiter": rng.choice([",", ",", ";", "\t"]), "null": rng.choice(["", "NULL"])}
        options["header"] = rng.random() < 0.9
        if not options["header"]:
            feed = {"column_order": [c.get("source", c["name"]) for c in columns]}
    elif form == "dms":
        options = {"header": True} | ({"sequence_column": "seq"} if rng.random() < 0.5 else {})
    elif form in ("json_lines", "json_array", "parquet"):
        options = {"format": form} | ({"records": "data"} if form == "json_array" and rng.random() < 0.3 else {})
    if rng.random() < 0.15 and form != "events":
        options["replaced"] = "newer"
    if rng.random() < 0.03:
        options["delimeter"] = ","
    kind = {"csv": "csv", "dms": "dms", "events": "event_export"}.get(form, "dump")
    return {"feed": kind, "location": name} | ({"options": options} if options else {}), feed


def _options(rng: Random, table: dict[str, Any]) -> None:
    chance = rng.random()
    if chance < 0.08:
        table["snapshot"] = {"complete": rng.random() < 0.7}
    elif chance < 0.14:
        table["history"] = {}
    elif chance < 0.2:
        table["append_only"] = True
    elif chance < 0.24:
        table["changes"] = "partial"
    elif chance < 0.3:
        table["on_new_column"] = rng.choice(["ignore", "refuse"])


def _value(rng: Random, column: dict[str, Any], hostility: float) -> str:
    kind = column["type"]
    if rng.random() < hostility:
        return rng.choice(HOSTILE)
    if str(column.get("format", "auto")).startswith("epoch"):
        return "1772000000" if column["format"] == "epoch_seconds" else "1772000000000"
    if column["name"] == "currency":
        return rng.choice(["EUR", "JPY", "XCG", "KWD"])
    return rng.choice(GOOD[kind])


def _name(form: str, stem: str, number: int) -> str:
    if form == "events":
        return f"things+0+{number}.json"
    if form == "dms":
        return f"20260301-{number:09d}.csv"
    return f"2026-03-01-{stem}"


def _delivery(
    rng: Random, form: str, columns: list[dict[str, Any]], source: dict[str, Any], number: int
) -> tuple[str, bytes]:
    hostility = rng.choice([0, 0, 0.1, 0.5])
    rows = [{c["name"]: _value(rng, c, hostility) for c in columns} for _ in range(rng.choice([0, 1, 3, 8]))]
    for n, row in enumerate(rows):
        if rng.random() > hostility:
            row["id"] = {"string": f"k{n}", "bigint": str(n), "date": f"2026-01-{n + 1:02d}"}[columns[0]["type"]]
    body = _written(rng, form, columns, rows, source)
    path = _name(form, str(number), number) if form in ("events", "dms") else rng.choice(FILES).format(number + 1)
    if rng.random() < 0.35:
        path, body = _broken(rng, path, body)
    return path, body


def _written(
    rng: Random, form: str, columns: list[dict[str, Any]], rows: list[dict[str, str]], source: dict[str, Any]
) -> bytes:
    named = [c.get("source", c["name"]) for c in columns]
    if form in ("csv", "dms"):
        options = source.get("options", {})
        own = {"Op": "I"} if form == "dms" else {}
        own |= {"seq": None} if "sequence_column" in options else {}
        lines = [[*own, *named]] if options.get("header", True) else []
        for n, row in enumerate(rows):
            first = [v if v is not None else str(n + 1) for v in own.values()]
            lines.append([*first, *(row[c["name"]] for c in columns)])
        cut = options.get("delimiter", ",")
        return "".join(cut.join(_quoted(v, cut) for v in line) + "\n" for line in lines).encode(
            "utf-8", "surrogatepass"
        )
    if form == "parquet":
        return _parquet(rng, columns, named, rows)
    records = [_nested(dict(zip(named, (_typed(rng, row[c["name"]]) for c in columns), strict=True))) for row in rows]
    if form == "json_array":
        whole: Any = {"data": records} if source.get("options", {}).get("records") else records
        return json.dumps(whole).encode()
    return "".join(json.dumps(r) + "\n" for r in records).encode()


def _quoted(value: str, cut: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(k in value for k in (cut, '"', "\n", "\r")) else value


def _nested(record: dict[str, Any]) -> dict[str, Any]:
    """Put a dotted name where a path leads, as APIs do."""
    if "user.name" in record:
        record["user"] = {"name": record.pop("user.name")}
    return record


def _typed(rng: Random, text: str) -> Any:
    if rng.random() < 0.15:
        return rng.choice([None, 7, 7.5, True, [1], {"a": 1}, 10**30, 1e308])
    return text


ARROW: dict[str, tuple[pa.DataType, Callable[[int], Any]]] = {
    "text": (pa.string(), lambda n: f"v{n}"), "large": (pa.large_string(), lambda n: f"v{n}"),
    "int": (pa.int64(), lambda n: n), "small": (pa.uint8(), lambda n: n), "double": (pa.float64(), lambda n: n + 0.5),
    "whole": (pa.float64(), float), "bool": (pa.bool_(), lambda n: n % 2 == 0), "day": (pa.date32(), lambda n: date(2026, 1, n + 1)),
    "us": (pa.timestamp("us", "UTC"), lambda n: datetime(2026, 1, n + 1, tzinfo=UTC)),
    "ns": (pa.timestamp("ns"), lambda n: 1_772_000_000_000_000_000 + n), "time": (pa.time64("us"), lambda n: time(n)),
    "dec": (pa.decimal128(9, 2), lambda n: Decimal(n)), "dec256": (pa.decimal256(60, 2), lambda n: Decimal(n)),
    "bytes": (pa.binary(), lambda n: b"\xff\xfe" + bytes([n])), "list": (pa.list_(pa.int64()), lambda n: [n]),
    "struct": (pa.struct([("a", pa.int64())]), lambda n: {"a": n}), "null": (pa.null(), lambda n: None),
    "dict": (pa.dictionary(pa.int8(), pa.string()), lambda n: f"v{n % 3}"),
}  # fmt: skip


def _parquet(rng: Random, columns: list[dict[str, Any]], named: list[str], rows: list[dict[str, str]]) -> bytes:
    arrays: dict[str, Any] = {}
    for column, name in zip(columns, named, strict=True):
        kind, make = ARROW["text"] if rng.random() < 0.5 else ARROW[rng.choice(list(ARROW))]
        texts = kind == pa.string() and rng.random() < 0.8
        arrays[name] = pa.array([row[column["name"]] if texts else make(n) for n, row in enumerate(rows)], kind)
    if rng.random() < 0.2:
        kind, make = ARROW[rng.choice(list(ARROW))]
        arrays["nobody declared this"] = pa.array([make(n) for n in range(len(rows))], kind)
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink)
    return sink.getvalue()


def _broken(rng: Random, path: str, body: bytes) -> tuple[str, bytes]:
    at = rng.randrange(len(body) + 1)
    ways: list[Callable[[], tuple[str, bytes]]] = [
        lambda: (path, b""), lambda: (path, body[:at]), lambda: (path, body[:at] + b'"' + body[at:]),
        lambda: (path, body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :]), lambda: (path, b"\xef\xbb\xbf" + body),
        lambda: (path, body.replace(b"\n", b"\r\n")), lambda: (path, body.replace(b"\n", b"\r\n", 1)),
        lambda: (path, gzip.compress(body, mtime=0)), lambda: (f"{path}.gz", body), lambda: (path, bz2.compress(body)),
        lambda: (path, lzma.compress(body)), lambda: (path, body.decode("utf-8", "replace").encode("utf-16")),
        lambda: (path, body.replace(b",", b";")), lambda: (path, body.upper()), lambda: (path, b"\x00" + body),
        lambda: (path, b"[]"), lambda: (path, b"[" * 20_000), lambda: (path, body.rstrip(b"\n")), lambda: (path, body + body),
    ]  # fmt: skip
    return rng.choice(ways)()
