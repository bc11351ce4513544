"""Fetched objects as they were landed: lines ``{"fetched_at": …, "object": {…}}``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import Changes
from ledgerlake.feeds.decoding.frame import Decode
from ledgerlake.feeds.decoding.records import Records, path_of
from ledgerlake.landing.manifest import LandedObject


@dataclass(frozen=True)
class FetchedObjects:
    """Decodes one table's objects; the moment of the fetch is their position."""

    table: Table

    def __call__(self, item: LandedObject) -> Decode:
        """Open an object; every one is read alike."""
        paths = [path_of(f"object.{c.source_name}") for c in self.table.columns]

        def decode(first: int, lines: Sequence[bytes]) -> Changes:
            records = Records(lines)
            problems = records.problems()
            fetched = [r.get("fetched_at") for r in records.all]
            deleted = [type(o := r.get("object")) is dict and o.get("deleted") is True for r in records.all]
            return Changes(
                ordinals=range(first, first + len(lines)),
                ops=["delete" if d else "upsert" for d in deleted] if True in deleted else "upsert",
                positions=[f"{at}|{n:012d}" if at else None for n, at in enumerate(fetched, first)],
                problems=problems,
                raws=records.raws(problems),
                values=records.columns(paths),
            )

        return decode
