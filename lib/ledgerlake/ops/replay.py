"""Replay: silver rebuilt from bronze as of a moment, compared with the live table row for row.

Bronze holds every accepted change once, so folding all of it must give what silver became batch
by batch. The comparison is an order-independent hash over every row's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.engines.door import Engines
from ledgerlake.errors import NotFoundError, Where
from ledgerlake.lake import reading
from ledgerlake.lake.silver import folded
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation, joined_by, quoted
from ledgerlake.sql.values import canonical_sql


@dataclass(frozen=True)
class Comparison:
    """The live table and its rebuild: rows and hash of each, and how many keys differ."""

    table: str
    as_of: datetime | None
    live_rows: int
    rebuilt_rows: int
    live_hash: str
    rebuilt_hash: str
    differing_keys: int

    @property
    def equal(self) -> bool:
        """Say whether live and rebuilt are the same, row for row."""
        return (self.live_rows, self.live_hash) == (self.rebuilt_rows, self.rebuilt_hash)


def compare(workspace: Workspace, name: str, as_of: datetime | None = None) -> Comparison:
    """Rebuild a silver table from bronze and compare; ``as_of`` (UTC) picks both versions."""
    table, paths, engines = workspace.table(name), workspace.paths, workspace.engines
    bronze = _version_at(workspace, paths.bronze(name), as_of, name)
    silver = _version_at(workspace, paths.silver(name), as_of, name)
    live = _state(reading.relation(workspace, "silver", paths.silver(name), silver), table)
    changes = reading.relation(workspace, "bronze", paths.bronze(name), bronze)
    at = engines.row(changes.where("_op = 'truncate'").grouped((), f"max({c.POSITION}) AS at"))["at"]
    with engines.held(live, "live") as one, engines.held(_state(rebuild(changes, table, at), table), "rebuilt") as other:
        (live_rows, live_hash), (rows, hash_) = _measure(engines, one), _measure(engines, other)
        differ = 0 if (live_rows, live_hash) == (rows, hash_) else _differing(engines, one, other, table)
        return Comparison(name, as_of, live_rows, rows, live_hash, hash_, differ)


def rebuild(bronze: Relation, table: Table, truncated_at: str | None) -> Relation:
    """Return the state of every key by folding all of its changes at once."""
    states = folded(bronze, table, truncated_at)
    if table.changes == "partial":
        return states
    key = ", ".join(map(quoted, table.key))
    turn = f"row_number() OVER (PARTITION BY {key} ORDER BY {c.POSITION} DESC) AS _turn"
    return states.select("*", turn).where("_turn = 1").without("_turn")


def _version_at(workspace: Workspace, uri: str, as_of: datetime | None, name: str) -> int:
    commits = workspace.storage.commits(uri)
    found = [k.version for k in commits if as_of is None or k.at <= as_of]
    if not found:
        raise NotFoundError(
            "the table has no version at that moment", where=Where(table=name), then="see `ledgerlake history`"
        )
    return max(found)


def _state(rows: Relation, table: Table) -> Relation:
    """Return each key with the hash of its state, as hexadecimal text."""
    present = [table.column(n) for n in table.column_names if n in rows.columns]
    texts = [*(canonical_sql(k.kind, quoted(k.name)) for k in present), f"CAST({c.DELETED} AS STRING)", c.POSITION, c.CHANGE_ID]
    said = ", ".join(f"coalesce(concat('=', {text}), '-')" for text in texts)
    return rows.select(*map(quoted, table.key), f"md5(concat_ws('|', {said})) AS h")


def _measure(engines: Engines, state: Relation) -> tuple[int, str]:
    """Return how many rows there are, and the sum of their hashes (60 bits of each), whatever their order."""
    number = "CAST(conv(substring(h, 1, 15), 16, 10) AS DECIMAL(28,0))"
    row = engines.row(state.grouped((), "count(1) AS n", f"CAST(coalesce(sum({number}), 0) AS STRING) AS h"))
    return row["n"], row["h"]


def _differing(engines: Engines, live: Relation, rebuilt: Relation, table: Table) -> int:
    """Return how many keys are there on one side only, or with another state."""
    same = joined_by(table.key)
    changed = live.lacking(rebuilt, f"{same} AND l.h = r.h").select(*map(quoted, table.key))
    missing = rebuilt.lacking(live, same).select(*map(quoted, table.key))
    return int(engines.row(changed.union(missing).grouped((), "count(1) AS n"))["n"])
