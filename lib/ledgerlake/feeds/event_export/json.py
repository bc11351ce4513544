"""Events as JSON lines: column by column, because all lines of a topic are read alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes, Texts, numbered
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import Records, path_of
from ledgerlake.feeds.decoding.spelling import check_fields
from ledgerlake.feeds.event_export.options import EventTable
from ledgerlake.feeds.kafka_files import file_order
from ledgerlake.landing.manifest import LandedObject


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
            records, offset = Records(lines), int(start) + first
            ops: str | Texts = "upsert"
            if own.op_field:
                ops = [own.ops.get(o) if o is not None else None for o in records.texts(path_of(own.op_field))]
            values = records.columns(paths)
            check_fields(item.source_name, records, paths, values)
            problems = _problems(records, ops) if own.op_field else records.problems()
            return Changes(
                ordinals=range(first, first + len(lines)),
                ops=ops,
                positions=numbered(f"{partition}|", range(offset, offset + len(lines)), 20),
                problems=problems,
                raws=records.raws(problems),
                carried=_carried(records, self.table) if carries else None,
                values=values,
            )

        return decode


def _problems(records: Records, ops: str | Texts) -> list[str | None]:
    unread = records.problems() or [None] * len(records.lines)
    return [problem or ("unknown operation" if op is None else None) for problem, op in zip(unread, ops, strict=True)]


def _carried(records: Records, table: Table) -> list[list[str]]:
    """Return the columns whose field is present, null or not; only patches need to know."""
    present = [records.present(path_of(c.source_name)) for c in table.columns]
    return [
        [name for name, there in zip(table.column_names, row, strict=True) if there]
        for row in zip(*present, strict=True)
    ]
