"""What changed between two versions of a table: added, removed and changed rows by key. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class RowChange:
    """One row that differs; ``columns`` holds (before, after) of each column that does.

    Added and removed rows name no columns: the row itself is the difference.
    """

    kind: Kind
    key: tuple[Any, ...]
    columns: Mapping[str, tuple[Any, Any]]


def compare(before: pa.Table, after: pa.Table, key: Sequence[str]) -> list[RowChange]:
    """Return the differing rows in the order of their keys; no value equals NULL but NULL.

    A column that only one of the two has counts as NULL in the other. For tables that fit in
    memory: marts by partition, reports, not whole change logs.
    """
    old, new = _by_key(before, key), _by_key(after, key)
    names = dict.fromkeys([*before.column_names, *after.column_names])
    return list(_changes(old, new, [n for n in names if n not in key]))


def _by_key(table: pa.Table, key: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in key): row for row in table.to_pylist()}


def _changes(
    old: Mapping[tuple[Any, ...], dict[str, Any]],
    new: Mapping[tuple[Any, ...], dict[str, Any]],
    names: Sequence[str],
) -> Iterator[RowChange]:
    for key in sorted(old.keys() | new.keys(), key=str):
        if key not in old:
            yield RowChange("added", key, {})
        elif key not in new:
            yield RowChange("removed", key, {})
        elif differing := _differing(old[key], new[key], names):
            yield RowChange("changed", key, differing)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (old.get(name), new.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
