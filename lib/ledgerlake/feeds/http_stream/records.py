"""A stream's records as they were landed: lines with the day, the fetch, the ordinal and the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import Path, Records, path_of
from ledgerlake.landing.manifest import LandedObject

OWN_SOURCES = {"$day": "day", "$day_type": "day_type", "$volume": "volume", "$ordinal": "ordinal"}
"""What a column's ``source`` may name beside the record's fields."""
_DAY_CHARACTERS = 10


@dataclass(frozen=True)
class StreamedRecords:
    """Decodes one table's records; day, fetch and (with ``updates``) the ordinal are their position.

    ``day_field`` is the record's field that must lie in the day it was asked for.
    """

    table: Table
    updates: bool
    day_field: str | None

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object; every one is read alike."""
        paths = [_path(c.source_name) for c in self.table.columns]
        day_path = path_of(f"record.{self.day_field}") if self.day_field else None

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            records = Records(lines)
            found = _problems(records, day_path)
            problems = found if any(found) else None
            gone = [r.get("gone") is True for r in records.all]
            return Changes(
                ordinals=range(first, first + len(lines)),
                ops=["delete" if g else "upsert" for g in gone] if True in gone else "upsert",
                positions=_positions(records, updates=self.updates),
                problems=problems,
                raws=records.raws(problems),
                values=records.columns(paths),
            )

        return decode


def _path(source: str) -> Path:
    return (OWN_SOURCES[source],) if source in OWN_SOURCES else path_of(f"record.{source}")


def _positions(records: Records, *, updates: bool) -> list[str | None]:
    return [
        f"{r['day']}|{r['fetch']:04d}|{r['ordinal'] if updates else 0:09d}" if "day" in r else None for r in records.all
    ]


def _problems(records: Records, day_path: Path | None) -> list[str | None]:
    amiss = records.problems() or [None] * len(records.all)
    found: list[str | None] = [
        p or (None if "day" in r and "malformed" not in r else "not a JSON object")
        for p, r in zip(amiss, records.all, strict=True)
    ]
    if day_path is None:
        return found
    days = records.texts(day_path)
    return [
        p or (None if d is not None and d[:_DAY_CHARACTERS] == r["day"] else "a record of another day")
        for p, d, r in zip(found, days, records.all, strict=True)
    ]
