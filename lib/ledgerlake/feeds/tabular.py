"""Files of rows and columns: their frame is checked at landing, and each is scanned once.

Shared by every feed whose files have a layout: its (column, type) pairs come from the header or
the footer and stand in the manifest, so a batch may mix layouts. Parquet is :mod:`ledgerlake.feeds.parquet_files`.
"""

from __future__ import annotations

from collections.abc import Callable

from ledgerlake.config.models import Table
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.frames import union_all
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.sql.relation import Relation
from ledgerlake.sql.values import text_sql


def by_layout(
    engines: Engines, reading: Reading, read_group: Callable[[Layout, list[LandedObject]], Relation]
) -> Relation:
    """Read each group of objects with one layout, then union; one scan in all."""
    groups: dict[Layout, list[LandedObject]] = {}
    for item in reading.objects:
        groups.setdefault(item.layout, []).append(item)
    parts = [read_group(layout, items) for layout, items in sorted(groups.items())]
    return parts[0] if len(parts) == 1 else as_texts(engines, parts, reading.table)


def as_texts(engines: Engines, parts: list[Relation], table: Table) -> Relation:
    """Union relations that may type a column differently: as text they meet, and the contract types them."""
    own = set(table.column_names)
    return union_all(
        [
            part.select(*(f"{text_sql(f'`{n}`', kind)} AS `{n}`" if n in own else f"`{n}`" for n, kind in engines.types(part).items()))
            for part in parts
        ]
    )  # fmt: skip


def names_of(layout: Layout) -> list[str]:
    """Return a layout's column names."""
    return [name for name, _ in layout]
