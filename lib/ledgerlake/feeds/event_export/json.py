"""Events as JSON lines: column by column, because all lines of a topic are read alike."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes, Texts, numbered
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import Records, path_of
from ledgerlake.feeds.decoding.spelling import check_fields
from ledgerlake.feeds.event_export.options import EventTable
from ledgerlake.feeds.kafka_files import file_order
from ledgerlake.landing.manifest import LandedObject

_NO_TABLE = "the field that names the table is missing"


@dataclass(frozen=True)
class JsonEvents:
    """Decodes the events of one table; an event that is not understood is a problem, not an error."""

    table: Table

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object: its name gives partition and offset of its first event."""
        partition, start = file_order(item.source_name).split("|")
        own, paths = EventTable(**self.table.feed), [path_of(c.source_name) for c in self.table.columns]
        carries = self.table.changes == "partial"

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            records, ordinals = Records(lines), list(range(first, first + len(lines)))
            if own.table_field:
                records, ordinals = _own_records(records, ordinals, own)
            ops: str | Texts = "upsert"
            if own.op_field:
                ops = [own.ops.get(o) for o in records.texts(path_of(own.op_field))]
            values = records.columns(paths) if records.lines else [None] * len(paths)
            check_fields(item.source_name, records, paths, values)
            problems = _problems(records, ops, own)
            return Changes(
                ordinals=ordinals,
                ops=ops,
                positions=numbered(f"{partition}|", [int(start) + n for n in ordinals], 20),
                problems=problems,
                raws=records.raws(problems),
                carried=_carried(records, self.table) if carries else None,
                values=values,
            )

        return decode


def _own_records(records: Records, ordinals: list[int], own: EventTable) -> tuple[Records, list[int]]:
    """Return the records that name the table, and those that name none; they are not parsed again."""
    named = records.texts(path_of(str(own.table_field)))
    keep = [n for n, name in enumerate(named) if name is None or name in own.table_names]
    if len(keep) == len(named):
        return records, ordinals
    found = copy(records)
    found.lines, found.all = [records.lines[n] for n in keep], [records.all[n] for n in keep]
    found.unread = [records.unread[n] for n in keep]
    found.any_unread = True in found.unread
    return found, [ordinals[n] for n in keep]


def _problems(records: Records, ops: str | Texts, own: EventTable) -> list[str | None] | None:
    found = records.problems() or [None] * len(records.lines)
    if own.table_field:
        names = records.texts(path_of(own.table_field))
        found = [problem or (_NO_TABLE if name is None else None) for problem, name in zip(found, names, strict=True)]
    if own.op_field:
        found = [
            problem or ("unknown operation" if op is None else None) for problem, op in zip(found, ops, strict=True)
        ]
    return found if any(found) else None


def _carried(records: Records, table: Table) -> list[list[str]]:
    """Return the columns whose field is present, null or not; only patches need to know."""
    present = [records.present(path_of(c.source_name)) for c in table.columns]
    return [
        [name for name, there in zip(table.column_names, row, strict=True) if there]
        for row in zip(*present, strict=True)
    ]
