"""Landed files of the file-based feeds, in each vendor's format, and how a plain reader reads them.

A :class:`Format` says how payments become files, how the feed is declared, and with which
schema Spark's own reader takes the same fields as strings.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ledgerlake.bench.data import TYPES

Record = Mapping[str, str]
Write = Callable[[Sequence[Record], int], bytes]
"""(payments, number of the first one) → a file's content."""

_FIELDS = ", ".join(f"{n}: STRING" for n in TYPES)
_ROW = f"STRUCT<{_FIELDS}>"
_COLUMNS = ", ".join(f"{n} STRING" for n in TYPES)
_LSN = 24_023_128
_ROWS_OF_CSV, _ROWS_OF_PARQUET = 500_000, 1_000_000  # fewer are read in less time than their reading is planned


@dataclass(frozen=True)
class Format:
    """One feed's files: ``name`` of a file's number, ``reader`` and ``schema`` of Spark's plain reader."""

    feed: str
    write: Write
    name: Callable[[int], str]
    schema: str
    reader: str = "json"
    source: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] = field(default_factory=dict)
    resource: str = "payments"
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # per column, beside name and type
    rows: int = 200_000


def _lines(make: Callable[[Sequence[Record], int], Iterator[Any]]) -> Write:
    def write(records: Sequence[Record], first: int) -> bytes:
        text = "\n".join(json.dumps(line, separators=(",", ":")) for line in make(records, first)) + "\n"
        return gzip.compress(text.encode(), compresslevel=1, mtime=0)

    return write


def _csv(*, op: bool) -> Write:
    def write(records: Sequence[Record], _first: int) -> bytes:
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow([*(["Op"] if op else []), *TYPES])
        for record in records:
            rows.writerow([*(["I"] if op else []), *(_spaced(record) if op else record).values()])
        return out.getvalue().encode()

    return write


def _spaced(record: Record) -> Record:
    return {**record, "updated_at": record["updated_at"].replace("T", " ").rstrip("Z")}


def _parquet(*, op: bool) -> Write:
    def write(records: Sequence[Record], _first: int) -> bytes:
        import pyarrow as pa
        from pyarrow import parquet

        convert: dict[str, Callable[[str], Any]] = {
            "date": date.fromisoformat,
            "decimal(18,2)": Decimal,
            "timestamp": datetime.fromisoformat,
        }
        kinds = {"date": pa.date32(), "decimal(18,2)": pa.decimal128(18, 2), "timestamp": pa.timestamp("us", tz="UTC")}
        columns = {
            n: pa.array([convert.get(t, str)(r[n]) for r in records], type=kinds.get(t, pa.string()))
            for n, t in TYPES.items()
        }
        out = io.BytesIO()
        marks = {"Op": pa.array(["I"] * len(records))} if op else {}
        parquet.write_table(pa.table(marks | columns), out)
        return out.getvalue()

    return write


def _debezium(records: Sequence[Record], first: int) -> Iterator[Any]:
    for n, record in enumerate(records, _LSN + first):
        after: dict[str, Any] = dict(record)
        after["day"] = (date.fromisoformat(record["day"]) - date(1970, 1, 1)).days
        for name in ("amount", "fee"):
            cents = int(record[name].replace(".", ""))
            after[name] = base64.b64encode(cents.to_bytes(cents.bit_length() // 8 + 1, "big", signed=True)).decode()
        source = {
            "version": "2.7.0.Final", "connector": "postgresql", "name": "bank", "ts_ms": 1_767_225_600_000,
            "snapshot": "false", "db": "bank", "sequence": f'["{n - 1}","{n}"]', "schema": "public",
            "table": "payments", "txId": n, "lsn": n, "xmin": None,
        }  # fmt: skip
        yield {
            "before": None, "after": after, "source": source, "op": "c", "ts_ms": 1_767_225_600_100, "transaction": None
        }  # fmt: skip


_WAL_TYPES = {"date": "date", "decimal(18,2)": "numeric(18,2)", "timestamp": "timestamp with time zone"}


def _wal2json(records: Sequence[Record], first: int) -> Iterator[Any]:
    for n in range(0, len(records), 10):
        lsn = f"16/{_LSN + first + n:08X}"
        yield {"action": "B", "lsn": lsn, "xid": n}
        for record in records[n : n + 10]:
            values = {**_spaced(record), "amount": float(record["amount"]), "fee": float(record["fee"])}
            columns = [{"name": k, "type": _WAL_TYPES.get(TYPES[k], "text"), "value": v} for k, v in values.items()]
            yield {"action": "I", "schema": "public", "table": "payments", "columns": columns}
        yield {"action": "C", "lsn": lsn, "xid": n}


def _slot(records: Sequence[Record], first: int) -> Iterator[Any]:
    for n, record in enumerate(records, first):
        new = _spaced(record)
        yield {"commit_lsn": f"16/{_LSN + n // 10 * 10:08X}", "place": n % 10 + 1, "action": "I", "new": new}


def _salesforce(records: Sequence[Record], first: int) -> Iterator[Any]:
    for n, record in enumerate(records, first):
        header = {
            "entityName": "Payment__c", "recordIds": [f"a0B{n:015d}"], "changeType": "UPDATE", "changeOrigin": "",
            "transactionKey": f"00051e4b-{n:08d}", "sequenceNumber": 1, "commitTimestamp": 1_767_225_600_000,
            "commitNumber": 65_824_907_130_000 + n, "commitUser": "005xx000001Sv6AAAS", "nulledFields": [],
            "diffFields": [], "changedFields": [k for k in TYPES if k != "id"],
        }  # fmt: skip
        fields = {k: v for k, v in record.items() if k != "id"}
        yield {"schema": "IeRuaY6cbI_HsV8Rv1Mc5g", "payload": {"ChangeEventHeader": header, **fields}, "event": {"replayId": n}}  # fmt: skip


def _plain(records: Sequence[Record], _first: int) -> Iterator[Any]:
    yield from records


def _stripe(records: Sequence[Record], first: int) -> Iterator[Any]:
    for n, record in enumerate(records, first):
        yield {"fetched_at": f"2026-02-28T00:{n // 60_000:02d}:{n // 1000 % 60:02d}.000000Z", "object": record}


def _stream(records: Sequence[Record], first: int) -> Iterator[Any]:
    for n, record in enumerate(records, first):
        yield {"day": "2026-02-28", "fetch": 1, "ordinal": n, "record": record}


_FACTS = ", ".join(
    f"{n}: {t}"
    for n, t in {
        "entityName": "STRING", "changeType": "STRING", "commitNumber": "STRING", "sequenceNumber": "STRING",
        "recordIds": "ARRAY<STRING>", "changedFields": "ARRAY<STRING>", "nulledFields": "ARRAY<STRING>",
        "diffFields": "ARRAY<STRING>",
    }.items()
)  # fmt: skip
_PAIRS = "ARRAY<STRUCT<name: STRING, value: STRING>>"
_TYPED = ", ".join(f"{n} {t}" for n, t in TYPES.items())


def _numbered(pattern: str, first: int = 0, step: int = 100_000) -> Callable[[int], str]:
    return lambda n: pattern.format(first + n * step)


_topic, _export = _numbered("payments+0+{:010d}.json.gz"), _numbered("payments-2026-02-28-{}.json.gz", step=1)

FORMATS: Mapping[str, Format] = {
    "dms csv": Format(
        "dms", _csv(op=True), _numbered("20260228-{:09d}.csv"), f"Op STRING, {_COLUMNS}", "csv", {"format": "csv"},
        rows=_ROWS_OF_CSV,
    ),
    "dms parquet": Format(
        "dms", _parquet(op=True), _numbered("20260228-{:09d}.parquet"), f"Op STRING, {_TYPED}", "parquet",
        {"format": "parquet"}, rows=_ROWS_OF_PARQUET,
    ),
    "debezium": Format(
        "debezium", _lines(_debezium), _topic,
        f"op STRING, source STRUCT<sequence: STRING, lsn: STRING>, before STRUCT<id: STRING>, after {_ROW}",
        source={"database": "postgresql"},
    ),
    "wal2json": Format(
        "wal2json", _lines(_wal2json), _export,
        f"action STRING, lsn STRING, schema STRING, `table` STRING, columns {_PAIRS}, identity {_PAIRS}",
        resource="public.payments",
    ),
    "postgres_slot": Format(
        "postgres_slot", _lines(_slot), _export,
        f"commit_lsn STRING, place STRING, action STRING, new {_ROW}, old {_ROW}, unchanged ARRAY<STRING>",
        source={"slot": "bench", "publication": "bench"}, resource="public.payments",
    ),
    "salesforce_cdc": Format(
        "salesforce_cdc", _lines(_salesforce), _export,
        f"payload STRUCT<ChangeEventHeader: STRUCT<{_FACTS}>, {_FIELDS}>",
        table={"feed": {"object": "Payment__c"}, "changes": "partial"}, columns={"id": {"source": "Id"}},
    ),
    "event_export": Format("event_export", _lines(_plain), _topic, _COLUMNS),
    "csv": Format(
        "csv", _csv(op=False), _numbered("payments-2026-02-28-{}.csv", step=1), _COLUMNS, "csv",
        rows=_ROWS_OF_CSV,
    ),
    "query": Format(
        "query", _parquet(op=False), _numbered("part-{:05d}.parquet", step=1), _TYPED, "parquet",
        table={"feed": {"watermark": "updated_at"}}, resource="public.payments",
        columns={"updated_at": {"nullable": False}}, rows=_ROWS_OF_PARQUET,
    ),
    "dump json_lines": Format(
        "dump", _lines(_plain), _export, _COLUMNS,
        table={"feed": {"order_by": ["updated_at"]}}, columns={"updated_at": {"nullable": False}},
    ),
    "dump parquet": Format(
        "dump", _parquet(op=False), _numbered("payments-2026-02-28-{}.parquet", step=1), _TYPED, "parquet",
        {"format": "parquet"}, table={"feed": {"order_by": ["updated_at"]}}, columns={"updated_at": {"nullable": False}},
        rows=_ROWS_OF_PARQUET,
    ),
    "stripe": Format(
        "stripe", _lines(_stripe), _export, f"fetched_at STRING, object {_ROW}", source={"stripe_version": "x"}
    ),
    "http_stream": Format(
        "http_stream", _lines(_stream), _export,
        f"day STRING, fetch STRING, ordinal STRING, record {_ROW}", table={"feed": {"ids_unique_across_days": True}},
    ),
}  # fmt: skip
