"""Which of a table's columns an update changes: by the lists of its header, or by the fields that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ledgerlake.config.models import Table
from ledgerlake.feeds.salesforce.events import FieldOrder, named

_LISTS_KEPT = 4096
_NO_FIELD = ""


@dataclass(frozen=True)
class Patch:
    """What an update says of a table: columns it ``carries``, whether it is ``empty``, naming no field at all.

    ``divided``: it changed a compound field in another way than the contract's columns take it.
    """

    carries: list[str]
    empty: bool = False
    divided: bool = False


class Patches:
    """Reads the lists of a table's updates; the same lists come again and again, and are read once."""

    def __init__(self, table: Table, order: FieldOrder) -> None:
        self._order = order
        self._sources = {c.name: c.source_name for c in table.columns if c.source_name != "Id"}
        self._tops = {source.partition(".")[0] for source in self._sources.values()}
        self._by_texts = lru_cache(_LISTS_KEPT)(self._by_lists)

    def by_lists(self, changed: Sequence[Any], nulled: Sequence[Any], diffs: Sequence[Any]) -> Patch:
        """Return the patch of ``changed ∪ nulled − diffs``; an entry that is no text names no field."""
        try:
            return self._by_texts(tuple(changed), tuple(nulled), tuple(diffs))
        except TypeError:  # objects and arrays have no hash
            return self._by_lists(changed, nulled, diffs)

    def by_fields(self, payload: Any, diffs: Sequence[Any]) -> Patch:
        """Return the patch of the fields that are present: CometD before version 47 lists no changed fields."""
        fields: Mapping[str, Any] = payload if type(payload) is dict else {}
        below = {f"{name}.{part}" for name, value in fields.items() if type(value) is dict for part in value}
        return Patch(self._carried(below.union(fields), self._names(diffs)))

    def _by_lists(self, changed: Sequence[Any], nulled: Sequence[Any], diffs: Sequence[Any]) -> Patch:
        names = self._names(changed) | self._names(nulled)
        return Patch(self._carried(names, self._names(diffs)), not names, self._divides(names))

    def _names(self, entries: Sequence[Any]) -> set[str]:
        return set(named([e if type(e) is str else _NO_FIELD for e in entries], self._order))

    def _carried(self, names: set[str], diffs: set[str]) -> list[str]:
        return [name for name, source in self._sources.items() if source in names and source not in diffs]

    def _divides(self, names: set[str]) -> bool:
        """A contract that takes a compound whole cannot take a part, nor one that takes parts an unnamed whole."""
        parts = {name.partition(".")[0] for name in names if "." in name}
        wholes = set(self._sources.values())
        return any(top in parts if top in wholes else top in names and top not in parts for top in self._tops)
