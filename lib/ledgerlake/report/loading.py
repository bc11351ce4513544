"""From batch and quarantine records to what the report says of loading. Pure."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from ledgerlake.core.accounting import Counts
from ledgerlake.lake.quarantine import kind_of
from ledgerlake.report.facts import Record
from ledgerlake.report.figures import moment, plural
from ledgerlake.report.page import BatchRow, Fates, QuarantineRow

REASONS_SHOWN = 5  # per table; the rest are one line
_COUNTS = tuple(vars(Counts()))


def counts_of(record: Record) -> Counts:
    """Return a batch record's counts; what a record does not say is zero."""
    return Counts(**{name: record.get(name) or 0 for name in _COUNTS})


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sum of counts."""
    return sum(counts, Counts())


def fates(batches: Iterable[Record]) -> tuple[Fates, ...]:
    """Return what became of each table's changes, by table."""
    found: defaultdict[str, Counts] = defaultdict(Counts)
    for record in batches:
        found[record["table"]] += counts_of(record)
    return tuple(Fates(table, found[table]) for table in sorted(found))


def batch_rows(batches: Iterable[Record]) -> tuple[BatchRow, ...]:
    """Return one row per batch, in the order loaded."""
    return tuple(_batch_row(record) for record in batches)


def _batch_row(record: Record) -> BatchRow:
    return BatchRow(
        table=record["table"],
        batch_id=record["batch_id"],
        kind=record["kind"],
        objects=len(json.loads(record.get("objects") or "[]")),
        counts=counts_of(record),
        positions=_range(record, "position"),
        extracted=_range(record, "extracted"),
        bronze_version=record.get("bronze_version"),
        silver_version=record.get("silver_version"),
        milliseconds=record.get("milliseconds"),
        reason=record.get("reason") or "",
    )


def _range(record: Record, name: str) -> tuple[str, str] | None:
    low, high = record.get(f"{name}_min"), record.get(f"{name}_max")
    return None if low is None or high is None else (str(low), str(high))


def quarantine_rows(rows: Iterable[Record], run_id: str) -> tuple[QuarantineRow, ...]:
    """Return the most frequent reasons of each table's open quarantine; a row may have several."""
    by_table: defaultdict[str, list[Record]] = defaultdict(list)
    for row in rows:
        by_table[row["table"]].append(row)
    return tuple(line for table in sorted(by_table) for line in _top_reasons(table, by_table[table], run_id))


def _top_reasons(table: str, rows: list[Record], run_id: str) -> list[QuarantineRow]:
    reasons = Counter((row["state"], kind_of(reason)) for row in rows for reason in row["reasons"])
    shown = sorted(reasons, key=lambda key: (-reasons[key], key))
    top, others = shown[:REASONS_SHOWN], shown[REASONS_SHOWN:]
    lines = [_reason_row(table, state, reason, _having(rows, {(state, reason)}), run_id) for state, reason in top]
    if others:
        words = plural(len(others), "further reason")
        lines.append(_reason_row(table, "", words, _having(rows, set(others)), run_id))
    return lines


def _having(rows: list[Record], wanted: set[tuple[str, str]]) -> list[Record]:
    return [row for row in rows if any((row["state"], kind_of(reason)) in wanted for reason in row["reasons"])]


def _reason_row(table: str, state: str, reason: str, rows: list[Record], run_id: str) -> QuarantineRow:
    since: datetime = min(row["quarantined_at"] for row in rows)
    new = sum(row["run_id"] == run_id for row in rows)
    return QuarantineRow(table, state, reason, len(rows), new, moment(since))
