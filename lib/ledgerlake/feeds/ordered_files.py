"""Feeds whose files say nothing of their order: it is their names', the source's times', or declared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date

from ledgerlake.config.models import Source, Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import FileOptions
from ledgerlake.feeds.file_order import Order, Pattern, check_name, day_of, order_of
from ledgerlake.feeds.files import FileFeed


class OrderedOptions(FileOptions):
    """``order``: what orders the source's objects: ``auto`` (the day in a name, then the name), ``name``, ``modified``, or a pattern."""

    order: Order = "auto"


class OrderedFileFeed(FileFeed):
    """A feed of files in the order of their names."""

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a name tells its logical date: its one day, None where it tells none or several."""
        order = order_of(source.options)
        return lambda name: day_of(name, order)

    def rows_have_order(self, table: Table) -> bool:
        """Say whether a table's records tell their order themselves, so that their objects have none."""
        return False

    def order_declared(self, source: Source, table: Table) -> str:
        """Return the declared order of objects."""
        order = order_of(source.options)
        return "" if order == "auto" else json.dumps({"order": order.pattern if isinstance(order, Pattern) else order})

    def name_check(
        self, source: Source, table: Table, landed: Iterable[str], new: Iterable[str]
    ) -> Callable[[str], None]:
        """Return the check that a name tells its place in one way only, and in the same way as the others."""
        order = order_of(source.options)
        if self.rows_have_order(table):
            return lambda _: None
        known = {day_of(name) is not None for name in landed} or {any(day_of(name) for name in new)}

        def check(name: str) -> None:
            check_name(name, order)
            if order == "auto" and (day_of(name) is not None) not in known:
                raise SourceError(
                    "its name tells a day and those of the others do not, or the other way round", where=Where(file=name),
                    then="declare `order:` on the source: name, modified, or a pattern",
                )  # fmt: skip

        return check
