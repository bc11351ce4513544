"""Feeds whose source drops objects into storage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar

from ledgerlake.config.models import Source, Table
from ledgerlake.feeds import deliveries
from ledgerlake.feeds.base import Extraction, Feed, FileOptions, Options
from ledgerlake.feeds.decoding.bodies import limits_of
from ledgerlake.feeds.landed import write_manifest
from ledgerlake.landing.manifest import Layout, Manifest

Probe = Callable[[str, bytes], Layout]
"""(source name, content) → layout; raises SourceError to refuse the object."""


class FileFeed(Feed):
    """A feed whose source drops objects below ``location/<resource>/``."""

    source_options: ClassVar[type[Options]] = FileOptions

    @abstractmethod
    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a table's objects: (name, content) → layout, or SourceError to refuse one."""

    def prefixes(self, source: Source, table: Table) -> tuple[str, ...]:
        """Return the folders that hold a table's objects, below the source's location."""
        return (f"{table.resource}/",)

    def order_declared(self, source: Source, table: Table) -> str:
        """Return what is declared of the order of objects and rows: positions of two orders do not compare."""
        return ""

    def name_check(
        self, source: Source, table: Table, landed: Iterable[str], new: Iterable[str]
    ) -> Callable[[str], None]:
        """Return the check of a name: SourceError where it does not tell the object's place among the others."""
        return lambda _: None

    def refuse_replaced(self, name: str) -> None:
        """Raise ``SourceError`` where a name that comes back cannot be taken as a newer delivery."""

    def bytes_max(self, source: Source) -> int | None:
        """Return how large an object may be that is opened at all; None where the format bounds what is read of it."""
        return limits_of(source.options).unfolded_bytes

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land new objects per table; broken ones are refused one by one."""
        return [m for t in request.tables if (m := self._extract_table(request, t))]

    def _extract_table(self, request: Extraction, table: Table) -> Manifest | None:
        copied = deliveries.copy(self, request, table, self.probe(request.source, table))
        if not copied:
            return None
        order = self.order_declared(request.source, table)
        return write_manifest(request, table, copied.objects, copied.refused, {}, order, copied.seen)

    def pending(self, request: Extraction) -> dict[str, int]:
        """Count objects per table that are new, came back, or are to be judged again; opens none."""
        return {t.table: len(deliveries.waiting(self, request, t)) for t in request.tables}
