"""Components: the records that any key of any of their versions ever connected.

They are the scope of recomputation, nothing else: within one, the core decides who is who at
each moment. They only grow, so a batch joins what its records' keys touch. Kept in
``<master>_components``: one row per record and key, with the component's name (its smallest record).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import Field
from deltalake.schema import PrimitiveType

from ledgerlake.config.mastering import Master
from ledgerlake.core.mastering.identity import Sets
from ledgerlake.lake.master_write import native_merge
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

COLUMNS = ("source", "record", "key", "component")
Row = tuple[str, ...]
SCHEMA = pa.schema([(n, pa.string()) for n in COLUMNS])
_KEYS = "explode(CASE WHEN size(keys) = 0 THEN array('') ELSE transform(keys, k -> concat(k.name, '=', k.value)) END) AS key"


def components_path(workspace: Workspace, master: Master) -> str:
    """Return where a master's components are kept."""
    return workspace.paths.silver(f"{master.master}_components")


def component_fields() -> list[Field]:
    """Return the schema of the components table; ``key`` is empty for a record without any."""
    return [Field(n, PrimitiveType("string")) for n in COLUMNS]


class Components:
    """The components of one master in the lake."""

    def __init__(self, workspace: Workspace, session: SparkSession, master: Master, run_id: str) -> None:
        self._w, self._session, self._master, self._run_id = workspace, session, master, run_id
        self._path = components_path(workspace, master)

    def grown_by(self, touched: DataFrame, observations: DataFrame) -> DataFrame:
        """Join what the touched records' keys connect; return every record of their components (with ``component``)."""
        new = _rows(observations.selectExpr("source", "record", _KEYS).distinct())
        known = self._state()
        keys = self._session.createDataFrame(sorted({(r[2],) for r in new if r[2]}), "key string")
        hits = known.join(keys, "key", "left_semi").unionByName(known.join(touched, ["source", "record"], "left_semi"))
        names, renamed = joined(new, _rows(hits.select(*COLUMNS).distinct()))
        self._store(new, names, renamed)
        scope = self._session.createDataFrame([(n,) for n in sorted(set(names.values()))], "component string")
        return self._state().join(scope, "component", "left_semi").select("source", "record", "component").distinct()

    def _state(self) -> DataFrame:
        return self._session.read.format("delta").load(self._path)

    def _store(self, new: Iterable[Row], names: dict[str, str], renamed: dict[str, str]) -> None:
        if renamed:
            moves = pa.table({"old": list(renamed), "component": list(renamed.values())})
            native_merge(self._w, self._path, moves, "t.component = s.old", {"component": "s.component"}, {})
        rows = [dict(zip(COLUMNS, (*r, names[_name(r)]), strict=True)) for r in new]
        same = " AND ".join(f"t.{n} = s.{n}" for n in COLUMNS[:3])
        assigned = {n: f"s.{n}" for n in COLUMNS}
        source = pa.Table.from_pylist(rows, SCHEMA)
        native_merge(self._w, self._path, source, same, {"component": "s.component"}, assigned)


def _rows(frame: DataFrame) -> list[Row]:
    found: Any = frame.toPandas()
    return list(found.itertuples(index=False, name=None))


def _name(row: Row) -> str:
    return f"{row[0]}\x1f{row[1]}"


def joined(new: Iterable[Row], known: Iterable[Row]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the component of each record in ``new``, and old → new names of components that became part of others.

    ``new`` are rows of (source, record, key) of the touched records, ``known`` rows of (source,
    record, key, component) that hold one of their keys, or are theirs.
    """
    sets, holder, old = Sets(), dict[str, str](), set[str]()
    for row in known:
        old.add(row[3])
        sets.join(_name(row), row[3])
        if row[2]:
            sets.join(_name(row), holder.setdefault(row[2], _name(row)))
    names = {_name(row) for row in new}
    for row in new:
        sets.join(_name(row), holder.setdefault(row[2], _name(row)) if row[2] else _name(row))
    moved = {k: str(sets.find(k)) for k in old}
    return {n: str(sets.find(n)) for n in names}, {k: v for k, v in moved.items() if v != k}
