"""Snapshots: what a complete delivery says about the keys that it lacks; works with every feed.

A complete snapshot is a truncate followed by its rows: ``<label>|0`` withdraws whatever is older,
``<label>|1`` is the position of each row. So the fold needs no rule of its own, and an older
snapshot that arrives late changes nothing. The label comes from the source (the date in the
object's name, else the source's own time of it), never from the moment of arrival. Objects with
one label are parts of one snapshot and must arrive together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date
from math import ceil

from ledgerlake.config.models import Snapshot, Table
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.frames import with_order
from ledgerlake.landing.manifest import Manifest
from ledgerlake.sql.relation import Relation, literal, values

_AGAIN = "~"
"""Before the number of a delivery in a label; it ranks above the mark that follows one."""


def labels(manifest: Manifest, earlier: list[Manifest], date_of: Callable[[str], date | None]) -> dict[str, str]:
    """Return landed path → label of a delivery; ``earlier`` are the deliveries that were loaded before.

    Where all parts of a snapshot came again under their names, its label ranks above the first one's.
    Raises :class:`SourceError` where a snapshot that was loaded gets another part, or one of its
    parts again without the others: whether a delivery is whole cannot be known.
    """
    found = _by_path(manifest, date_of)
    before = {o.path: label for m in earlier for o in m.objects for label in [_by_path(m, date_of)[o.path]]}
    known = {
        label: {o.source_name for m in earlier for o in m.objects if before[o.path] == label}
        for label in before.values()
    }
    for item in manifest.objects:
        label = found[item.path]
        parts = {o.source_name for o in manifest.objects if found[o.path] == label}
        if label in known or not _parts_before(label, known) <= parts:
            raise SourceError(
                f"another part of the snapshot {label} arrived after it was loaded",
                where=Where(file=item.source_name, table=manifest.table),
                then="deliver all parts of a snapshot together, or the whole of it again under a newer date",
            )
    return found


def _parts_before(label: str, known: Mapping[str, set[str]]) -> set[str]:
    """Return the names of which earlier deliveries of the same snapshot were made."""
    base = label.partition(_AGAIN)[0]
    return {name for other, names in known.items() if other.partition(_AGAIN)[0] == base for name in names}


def _by_path(manifest: Manifest, date_of: Callable[[str], date | None]) -> dict[str, str]:
    """Return landed path → label, as text that orders snapshots by time.

    Objects whose names tell no date, landed together, are parts of one snapshot: its time is
    that of the newest part at the source.
    """
    days = {o.path: date_of(o.source_name) for o in manifest.objects}
    undated = max((o.extracted_at for o in manifest.objects if days[o.path] is None), default=None)
    moment = undated.astimezone(UTC).isoformat(timespec="microseconds") if undated else ""
    times = {day: max(o.delivery for o in manifest.objects if days[o.path] == day) for day in set(days.values()) if day}
    return {path: f"{day.isoformat()}{_again(times[day])}" if day else moment for path, day in days.items()}


def _again(delivery: int) -> str:
    return f"{_AGAIN}{delivery:04d}" if delivery > 1 else ""


def as_snapshots(raw: Relation, sources: Mapping[str, str], table: Table, by_object: Mapping[str, str]) -> Relation:
    """Return raw changes in which each row stands at its snapshot's position, with truncates where complete.

    ``sources`` are the types of the raw columns.
    """
    assert table.snapshot is not None, "only tables of snapshots come here"
    rows = with_order(raw, by_object).select(
        *(f"`{n}`" if n != "_position" else "concat(_order, '|1') AS _position" for n in raw.columns)
    )
    if not table.snapshot.complete:
        return rows
    first = {label: min(p for p, at in by_object.items() if at == label) for label in set(by_object.values())}
    marks = ((literal(path), literal(label + "|0")) for label, path in sorted(first.items()))
    own = {
        "_object": "_object", "_ordinal": "CAST(-1 AS BIGINT)", "_op": "'truncate'", "_position": "_position",
    }  # fmt: skip
    truncates = values("truncates", ("_object", "_position"), marks).select(
        *(f"{own[n]} AS {n}" if n in own else f"CAST(NULL AS {sources[n]}) AS `{n}`" for n in raw.columns)
    )
    return rows.union(truncates)


def doubt_sql(rule: Snapshot, rows_before: int) -> str:
    """Return why a snapshot's absences do not count, null where they do: one window over its label."""
    label = "OVER (PARTITION BY split_part(_position, '|', 1))"
    rows = f"count_if(_op <> 'truncate') {label}"
    bad = f"count_if(_op <> 'truncate' AND (size(_reasons) > 0 OR _held_for IS NOT NULL)) {label}"
    least = max(rule.rows_min, ceil(rows_before * (1 - rule.shrink_max)))
    return (
        f"CASE WHEN _op <> 'truncate' THEN NULL"
        f" WHEN {rows} < {least} THEN 'snapshot: far smaller than what is known; what it lacks is not deleted'"
        f" WHEN {bad} > 0 THEN 'snapshot: it has refused rows; what it lacks is not deleted' END"
    )
