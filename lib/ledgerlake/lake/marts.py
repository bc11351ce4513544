"""Marts: SQL over silver, rebuilt by affected partition, written as candidates.

A candidate is a new Delta version that no publication names yet. Because partitions are found
by comparing with the silver versions of the last *publication* (not of the last run), what a
blocked candidate changed is always part of the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from ledgerlake.config.models import Input, Mart, Table
from ledgerlake.core import change as c
from ledgerlake.core.identity import fingerprint
from ledgerlake.lake import candidates, proofs, reading
from ledgerlake.lake.candidates import Candidate, Scope
from ledgerlake.lake.readers import PublicationRecord
from ledgerlake.lake.reading import Partitions
from ledgerlake.lake.workspace import Workspace
from ledgerlake.sql.relation import Relation, literal, quoted, values


def mart_fingerprint(mart: Mart, sql: str) -> str:
    """Return what a mart means: when it changes, the mart is rebuilt whole."""
    return fingerprint([mart.model_dump(mode="json", exclude={"suite", "description", "publish", "pii"}), sql])


class MartBuilder:
    """Builds candidates of one pipeline from pinned silver versions."""

    def __init__(
        self, workspace: Workspace, run_id: str, inputs: Mapping[str, int], last: PublicationRecord | None,
        *, anew: bool = False,
    ) -> None:  # fmt: skip
        self._w, self._run_id, self._inputs, self._anew = workspace, run_id, inputs, anew
        self._after = last.publication_id if last else ""
        self._since: Mapping[str, int] = last.inputs if last else {}
        self._served: Mapping[str, int] = last.marts if last else {}
        self._meant: Mapping[str, str] = last.fingerprints if last else {}
        self.built: dict[str, Candidate] = {}

    def scope(self, mart: Mart) -> Scope:
        """Find the partitions that changes since the last publication touch.

        What stands is only built upon where every commit since the served version was a candidate
        of this very meaning, built after this very publication: its changes are found again then.
        """
        if (
            self._anew
            or self._meant.get(mart.mart) != self._fingerprint(mart)
            or not stands(self._w, mart, self._served)
        ):
            return Scope(whole=True)
        unserved = self._unserved(mart)
        known = {"fingerprint": self._fingerprint(mart), "after": self._after}
        if any({k: note.get(k) for k in known} != known for note in unserved):
            return Scope(whole=True)
        touched: set[str | None] = set()
        for item in mart.inputs:
            if item.mart:
                upstream = self.built[item.mart]
                if upstream.scope.whole or (
                    not upstream.scope.empty and not _of_partition(item.partition, upstream.mart)
                ):
                    return Scope(whole=True)
                touched |= self._derived(upstream, str(item.partition))
            elif self._inputs[item.name] != self._since.get(item.name, -1):
                if item.name not in self._since:
                    return Scope(whole=True)
                if item.partition is not None:
                    touched |= self._values(self._changes(item.name, net=self._nets(mart, unserved)), item.partition)
                elif (
                    not self._repeats(item.name)
                    or self._w.engines.row(
                        self._changes(item.name, net=self._nets(mart, unserved)).grouped((), "count(1) AS n")
                    )["n"]
                ):
                    return Scope(whole=True)
        return Scope(
            whole=False, partitions=tuple(sorted(p for p in touched if p)), unplaced=bool({None, ""} & touched)
        )

    def _changes(self, table: str, *, net: bool) -> Relation:
        """Return the images of changed rows, as they were and as they are (change data feed).

        Of a snapshot, which moves every row, only those that differ; but all of them where a
        candidate that was never served stands in the mart: it holds rows that differed for a while.
        """
        uri = self._w.paths.silver(table)
        feed = reading.changes(self._w, uri, self._since[table] + 1, self._inputs[table])
        return _net(feed, self._w.pipeline.tables[table]) if net and self._repeats(table) else feed

    def _repeats(self, table: str) -> bool:
        """Say whether deliveries repeat what did not change; a history has no snapshots of its own."""
        declared = self._w.pipeline.tables.get(table)
        return declared is not None and declared.snapshot is not None

    def _nets(self, mart: Mart, unserved: list[Mapping[str, Any]]) -> bool:
        """Say whether rows that only moved to another snapshot leave a mart as it is: not where it shows their origin."""
        return not unserved and not any(name in self._w.pipeline.sql[mart.mart] for name in c.ORIGIN)

    def _derived(self, upstream: Candidate, expression: str) -> set[str | None]:
        """Return the partition values that an upstream mart's rebuilt partitions stand for."""
        if upstream.scope.empty:
            return set()
        column = str(upstream.mart.partition_by)
        kind = reading.types(self._w, self._w.paths.mart(upstream.mart.mart), upstream.version)[column]
        rows = [(f"CAST({literal(v)} AS {kind})",) for v in upstream.scope.partitions]
        return self._values(values("partitions", (column,), rows), expression)

    def _fingerprint(self, mart: Mart) -> str:
        return mart_fingerprint(mart, self._w.pipeline.sql[mart.mart])

    def _unserved(self, mart: Mart) -> list[Mapping[str, Any]]:
        """Return the notes of candidates that stand in the table and were never served."""
        commits, served = self._w.storage.commits(self._w.paths.mart(mart.mart)), self._served[mart.mart]
        return [k.note for k in commits if k.version > served]

    def build(self, mart: Mart) -> Candidate:
        """Write the mart's candidate: only the affected partitions, in one commit, on top of what it was built from.

        Raises ConfigError where a ``partition:`` does not find what changed, TransientError where
        another writer committed in between.
        """
        base = self._w.storage.version(self._w.paths.mart(mart.mart))
        scope = self.scope(mart)
        if scope.empty:
            if scope.unplaced and self._gives_unplaced(mart):
                raise candidates.unplaced(mart)
            candidate = Candidate(mart, scope, self._served[mart.mart])
        else:
            note = {"run_id": self._run_id, "mart": mart.mart, "fingerprint": self._fingerprint(mart),
                    "after": self._after, "inputs": dict(self._inputs)}  # fmt: skip
            made = self._rows(mart)
            types = self._w.engines.types(made)
            if not scope.whole and not candidates.has_columns(self._w, mart, types):
                scope = Scope(whole=True)  # the same SQL over a table that has another column now
            only = None if scope.whole else candidates.partitions_of(mart, scope, types)
            held = candidates.held_if_few(self._w, mart, made, types) if self._expects_few(mart) else None
            rows = candidates.placed(self._w, mart, made, types) if held is None else held
            with candidates.told(mart):
                self._prove_partitions(mart, only, rows, base)
            candidates.write(self._w, mart, only, rows, note, base)
            candidate = Candidate(mart, scope, base + 1)
        self.built[mart.mart] = candidate
        return candidate

    def _rows(self, mart: Mart) -> Relation:
        """Return what the mart's SQL says of its inputs at their pinned versions."""
        inputs = [self._input(item) for item in mart.inputs]
        return self._w.engines.declared(self._w.pipeline.sql[mart.mart], inputs)

    def _input(self, item: Input) -> Relation:
        """Return the rows of an input at its pinned version, under its name."""
        if item.mart:
            rows = candidates.read(self._w, self.built[item.mart], f"_in_{item.name}")
        else:
            rows = reading.silver_rows(self._w, item.name, self._inputs[item.name], f"_in_{item.name}")
        return rows.named(item.name)

    def _prove_partitions(self, mart: Mart, only: Partitions | None, rows: Relation | pa.Table, base: int) -> None:
        """Raise ConfigError where ``partition:`` of an input does not tell the mart's partitions that it touches."""
        expressions = {i.name: i.partition for i in mart.inputs if i.partition}
        if mart.partition_by is None or len(expressions) < len(mart.inputs):
            return  # any change of an input without an expression rebuilds the mart whole
        if only is None:
            given = [self._placed(self._input(i), str(i.partition)) for i in mart.inputs]
            stray = proofs.uncovered(self._w, rows, mart.partition_by, given)
        else:
            stray = proofs.differing_outside(self._w, rows, self._w.paths.mart(mart.mart), base, only)
        if stray is not None:
            raise proofs.unfound(mart, expressions, stray)

    def _gives_unplaced(self, mart: Mart) -> bool:
        rows, column = self._rows(mart), str(mart.partition_by)
        unplaced = rows.where(reading.unplaced_sql(column, self._w.engines.types(rows)[column]))
        return bool(self._w.engines.row(unplaced.grouped((), "count(1) AS n"))["n"])

    def _placed(self, rows: Relation, expression: str) -> Relation:
        """Return one column ``p``, the values of an expression, or of the arrays it gives, as text."""
        found = rows.select(f"{expression} AS p")
        several = self._w.engines.types(found)["p"].startswith("array")
        values_ = rows.select(f"explode_outer({expression}) AS p") if several else found
        return values_.select("CAST(p AS STRING) AS p")

    def _values(self, rows: Relation, expression: str) -> set[str | None]:
        """Return the values of an expression (or of the arrays it gives) as text, None among them for rows without one."""
        return {row["p"] for row in self._w.engines.rows(self._placed(rows, expression).distinct())}

    def _expects_few(self, mart: Mart) -> bool:
        """Say whether few rows are expected: all inputs are small, or the mart itself was."""
        paths = self._w.paths
        inputs = [
            (paths.mart(i.mart), self.built[i.mart].version) if i.mart else (paths.silver(i.name), self._inputs[i.name])
            for i in mart.inputs
        ]
        return reading.is_few(self._w, paths.mart(mart.mart)) or all(reading.is_few(self._w, *i) for i in inputs)


def _net(feed: Relation, table: Table) -> Relation:
    """Return the first and last images of the rows that differ in what they say.

    A complete snapshot moves every row to its own position; only what changed touches marts.
    """
    own = [n for n in feed.columns if n in (*table.column_names, c.DELETED)]
    key = ", ".join(quoted(k) for k in table.key)
    later = f"CASE WHEN {reading.CHANGE_TYPE} IN ('insert', 'update_postimage') THEN 1 ELSE 0 END"
    content = f"to_json(struct({', '.join(map(quoted, own))}))"
    turns = [f"row_number() OVER (PARTITION BY {key} ORDER BY {reading.COMMIT_VERSION}{way}, {later}{way}) AS _{name}"
             for name, way in (("first", ""), ("last", " DESC"))]  # fmt: skip
    ends = feed.select(*map(quoted, own), f"{reading.CHANGE_TYPE} AS _kind", f"{content} AS _said", *turns).where(
        "_first = 1 OR _last = 1"
    )
    both = f"OVER (PARTITION BY {key})"
    differ = (
        f"max(CASE WHEN _first = 1 AND _kind = 'insert' THEN 1 WHEN _last = 1 AND _kind = 'delete' THEN 1 ELSE 0 END) {both} = 1"
        f" OR min(_said) {both} <> max(_said) {both}"
    )
    return ends.select("*", f"({differ}) AS _differs").where("_differs").select(*map(quoted, own))


def _of_partition(expression: str | None, mart: Mart) -> bool:
    """Say whether an expression speaks of nothing but a mart's partition column."""
    if expression is None:
        return False
    return {k.name for k in sqlglot.parse_one(expression, dialect="spark").find_all(exp.Column)} == {mart.partition_by}


def stands(workspace: Workspace, mart: Mart, served: Mapping[str, int]) -> bool:
    """Say whether the version of a mart that is served is still in the lake."""
    return 0 <= served.get(mart.mart, -1) <= workspace.storage.version(workspace.paths.mart(mart.mart))
