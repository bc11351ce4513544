"""Components: the records that any key of any of their versions ever connected.

They are the scope of recomputation, nothing else: within one, the core decides who is who at
each moment. They only grow, so a batch joins what its records' keys touch. Kept in
``<master>_components``: one row per record and one per key of it, with the component's name (its
smallest record).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ledgerlake.config.mastering import Master
from ledgerlake.core.mastering.identity import Sets
from ledgerlake.core.mastering.model import Node
from ledgerlake.errors import SourceError, Where
from ledgerlake.lake import native
from ledgerlake.lake.master_write import COMPONENT_COLUMNS, GONE, components_path, spark_merge
from ledgerlake.lake.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Row = tuple[str, ...]
ROUNDS_MAX = 200
"""How many records a chain of keys may join when components are found in Spark."""

_KEY = ("source", "record", "key")
_KEYS = "explode(transform(keys, k -> concat(k.name, '=', k.value))) AS key"
_NODE = "concat_ws('\\u001f', source, record)"


class Components:
    """The components of one master in the lake."""

    def __init__(self, workspace: Workspace, master: Master, run_id: str) -> None:
        self._w, self._master = workspace, master
        self._note = {"run_id": run_id, "mastered": master.master}
        self._path = components_path(workspace, master)

    def grown_here(self, new: set[Row]) -> dict[Node, str]:
        """Join what the keys of a few records connect; return (source, record) → component of all records of these.

        ``new`` are rows of (source, record, key), all there are of the touched records, and one
        with an empty key for each of them.
        """
        keys, nodes = sorted({r[2] for r in new if r[2]}), sorted({_name(r) for r in new})
        near = self._stored(f"key IN ({_texts(keys)}) OR concat(source, '\x1f', record) IN ({_texts(nodes)})")
        names, renamed = joined(new, near)
        scope = sorted({*names.values(), *renamed})
        standing = {r[:3]: r for r in self._stored(f"component IN ({_texts(scope)})")}
        held = {k: (*k, renamed.get(r[3], r[3])) for k, r in standing.items()} | {r: (*r, names[_name(r)]) for r in new}
        self._write([r for k, r in held.items() if standing.get(k) != r])
        return {(r[0], r[1]): r[3] for r in held.values()}

    def _write(self, rows: list[Row]) -> None:
        if rows:
            columns = {n: pa.array([r[i] for r in rows], pa.string()) for i, n in enumerate(COMPONENT_COLUMNS)}
            source = pa.table(columns | {GONE: pa.array([False] * len(rows))})
            native.replace(self._w.storage, self._path, source, _KEY, gone=GONE, note=self._note)

    def _stored(self, where: str) -> list[Row]:
        found = self._w.storage.rows(self._path, where)
        return [tuple(r[n] for n in COMPONENT_COLUMNS) for r in (found.to_pylist() if found else [])]

    def grown_in_spark(self, session: SparkSession, touched: DataFrame, observations: DataFrame) -> DataFrame:
        """Do as ``grown_here`` for any number of records; return source, record and component."""
        keyed, named = (
            observations.selectExpr("source", "record", _KEYS),
            touched.selectExpr("source", "record", "'' AS key"),
        )
        new = keyed.unionByName(named).distinct().persist()
        try:
            state, keys = self._state(session), new.where("key <> ''").select("key").distinct()
            known = state.join(keys, "key", "left_semi").unionByName(
                state.join(touched, ["source", "record"], "left_semi")
            )
            scope = self._grown(session, new, known.select(*COMPONENT_COLUMNS).distinct())
            members = self._state(session).join(scope, "component", "left_semi")
            return members.select("source", "record", "component").distinct()
        finally:
            new.unpersist()

    def _state(self, session: SparkSession) -> DataFrame:
        return session.read.format("delta").load(self._path)

    def _grown(self, session: SparkSession, new: DataFrame, known: DataFrame) -> DataFrame:
        names = _labelled(new, known, self._master.master).persist()  # node or old component → component
        fresh = new.selectExpr(*_KEY, f"{_NODE} AS node").join(names, "node").drop("node")
        renamed = names.selectExpr("node AS old", "component AS renamed").where("old <> renamed")
        stale = self._state(session).withColumnRenamed("component", "old").join(renamed, "old")
        stale = stale.selectExpr(*_KEY, "renamed AS component")
        stale = stale.join(fresh.select(*_KEY), list(_KEY), "left_anti")
        fresh.unionByName(stale).selectExpr("*", f"false AS {GONE}").createOrReplaceTempView("grown")
        spark_merge(self._w, session, self._path, "grown", _KEY, self._note)
        return fresh.select("component").distinct().localCheckpoint()


def _texts(values: Iterable[str]) -> str:
    return ", ".join("'" + v.replace("'", "''") + "'" for v in values) or "NULL"


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
    names = set()
    for row in new:
        names.add(_name(row))
        sets.join(_name(row), holder.setdefault(row[2], _name(row)) if row[2] else _name(row))
    moved = {k: str(sets.find(k)) for k in old}
    return {n: str(sets.find(n)) for n in names}, {k: v for k, v in moved.items() if v != k}


def keys_of(observation: Mapping[str, Any]) -> list[Row]:
    """Return the rows of (source, record, key) that one observation gives."""
    return [(observation["source"], observation["record"], f"{k['name']}={k['value']}") for k in observation["keys"]]


def _labelled(new: DataFrame, known: DataFrame, master: str) -> DataFrame:
    """Return (node, component) as ``joined`` would, by handing the smallest name on along keys until nothing changes."""
    of_keys = new.select(*_KEY).unionByName(known.select(*_KEY)).where("key <> ''")
    edges = of_keys.selectExpr(f"{_NODE} AS node", "concat('k', key) AS hub")
    belongs = known.selectExpr(f"{_NODE} AS node", "concat('c', component) AS hub")
    itself = known.selectExpr("component AS node", "concat('c', component) AS hub")
    alone = new.selectExpr(f"{_NODE} AS node", f"concat('n', {_NODE}) AS hub")
    edges = edges.unionByName(belongs).unionByName(itself).unionByName(alone).distinct().persist()
    labels = edges.selectExpr("node", "node AS component").distinct().localCheckpoint()
    for _ in range(ROUNDS_MAX):
        hubs = (
            edges.join(labels, "node")
            .groupBy("hub")
            .agg({"component": "min"})
            .withColumnRenamed("min(component)", "low")
        )
        lower = edges.join(hubs, "hub").groupBy("node").agg({"low": "min"}).withColumnRenamed("min(low)", "component")
        lower = lower.localCheckpoint()
        moved = lower.join(labels, ["node", "component"], "left_anti").limit(1).count()
        labels = lower
        if not moved:
            return labels
    raise SourceError(
        f"keys join more than {ROUNDS_MAX} records in a chain", where=Where(table=master),
        then="look for a key value that identifies nobody, and list it under `ignore:`",
    )  # fmt: skip
