"""Serving: marts as candidates, gates over everything unpublished, then one publication.

What is judged is always *everything since the last publication*, so a blocked candidate is
judged again, corrected or not, before anything is served.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import ledgerlake
from ledgerlake.config.mart_sql import mart_graph
from ledgerlake.config.models import Mart, Table
from ledgerlake.config.personal import personal_columns
from ledgerlake.core import change as c
from ledgerlake.core.identity import serving_state
from ledgerlake.errors import GateBlocked, Where
from ledgerlake.lake import candidates
from ledgerlake.lake.candidates import Candidate
from ledgerlake.lake.marts import MartBuilder, mart_fingerprint, stands
from ledgerlake.lake.proofs import repeated_keys
from ledgerlake.lake.readers import BLOCKED, PUBLISHED, SENDING, PublicationRecord
from ledgerlake.lake.reading import silver_rows
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.export import exported
from ledgerlake.ops.parallel import run_graph
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.settle import Standing
from ledgerlake.ops.unexpected import typed
from ledgerlake.publish.model import Publication, Publishing, TableSlice
from ledgerlake.quality.evaluate import evaluate, failing_keys
from ledgerlake.quality.gate import blocked_message, decide
from ledgerlake.quality.result import SuiteResult
from ledgerlake.sql.relation import Relation, literal


@dataclass
class Verdict:
    """What the gates said: messages of blocking suites, and every suite's result."""

    blocked: list[str] = field(default_factory=list)
    results: dict[str, SuiteResult] = field(default_factory=dict)
    warnings: int = 0


class Server:
    """Builds, judges and publishes for one run."""

    def __init__(
        self, workspace: Workspace, run_id: str, day: date, progress: Progress, publishing: Publishing, standing: Standing
    ) -> None:  # fmt: skip
        self._w, self._run_id, self._day = workspace, run_id, day
        self._progress, self._publishing, self._standing = progress, publishing, standing
        tables = _standing_tables(workspace)
        self.inputs = {name: version for name, (_, version) in tables.items()}
        self.last = standing.served
        self.state = serving_state(tables, workspace.pipeline.fingerprint)
        self.publication_id = standing.successor(workspace.pipeline.name, self.state)
        self.verdict = Verdict()
        self.rows: dict[str, int] = {}

    @property
    def unchanged(self) -> bool:
        """Say whether readers are served exactly what stands, in the lake and in the warehouse."""
        return self._standing.serves(self.state) and marts_stand(self._w, self.last)

    def serve(self) -> str:
        """Publish what is new and return ``published``; raise GateBlocked where a gate says no."""
        anew = not self._standing.agrees
        builder = MartBuilder(self._w, self._run_id, self.inputs, self.last, anew=anew)
        marts = mart_graph(self._w.pipeline)
        judged = [t.table for t in self._w.pipeline.tables.values() if t.suite]
        self._each(marts | {f"gate {t}": set() for t in judged}, partial(self._build_or_judge, builder))
        if self.verdict.blocked:
            gate = self._w.pipeline.spec.gate
            message = "\n".join([*([f"the gate {gate} is closed"] if gate else []), *self.verdict.blocked])
            self._record(BLOCKED, builder, message)
            raise GateBlocked(
                message,
                then="the last publication stays served; have the source corrected, then run again."
                f" `ledgerlake trace --publication {self.publication_id}` shows failing keys",
            )
        with self._progress.step("publish", "snowflake") as words, TemporaryDirectory(prefix="ledgerlake-") as aside:
            publication = self._publication(builder, Path(aside))
            # Written down first: a run that dies after the warehouse's commit leaves what the next one needs to know.
            self._record(SENDING, builder, "")
            self._w.fence.check(surely=True)
            outcome = self._publishing.publish(publication, partial(self._w.fence.check, surely=True))
            self.rows = {part.table: part.expected_rows for part in publication.slices}
            words.append(
                f"{outcome.status.replace('_', ' ')}, {sum(self.rows.values()):,} rows in {len(self.rows)} tables"
            )
        self._record(PUBLISHED, builder, "")
        return PUBLISHED

    def _each(self, graph: dict[str, set[str]], work: Callable[[str], None]) -> None:
        for name, error in run_graph(graph, work, self._w.environment.spark.table_threads).items():
            raise typed(error, Where(table=name.removeprefix("gate ")), self._w.crashes) from error

    def _build_or_judge(self, builder: MartBuilder, name: str) -> None:
        kind, _, table = name.partition(" ")
        if table and kind == "gate":
            self._judge_table(self._w.pipeline.tables[table])
        else:
            self._build_and_judge(builder, self._w.pipeline.mart(name))

    def _judge_table(self, table: Table) -> None:
        """Judge the rows of silver whose newest change is not published yet."""
        version = self.inputs[table.table]
        if version == self._since(table.table):
            return
        with self._progress.step("gate", table.table) as words:
            batches = [
                b
                for b, r in self._w.control.finished_batches(table.table).items()
                if r["silver_version"] > self._since(table.table)
            ]
            among = ", ".join(literal(b) for b in batches) or "''"
            rows = silver_rows(self._w, table.table, version)
            words.append(
                self._judge(table, rows.where(f"{c.BATCH_ID} IN ({among})"), version, table.key, set_aside=True)
            )

    def _since(self, table: str) -> int:
        return self.last.inputs.get(table, -1) if self.last else -1

    def _build_and_judge(self, builder: MartBuilder, mart: Mart) -> None:
        with self._progress.step("mart", mart.mart) as words:
            candidate = builder.build(mart)
            scope = candidate.scope
            words.append(
                "unchanged"
                if scope.empty
                else "rebuilt whole"
                if scope.whole
                else f"{len(scope.partitions)} partitions"
            )
            if not scope.empty:
                self._prove_key(candidate)
            if mart.suite and not scope.empty:
                rows = candidates.read(self._w, candidate, changed_only=True)
                words.append(self._judge(mart, rows, candidate.version, mart.key, set_aside=False))

    def _prove_key(self, candidate: Candidate) -> None:
        """Close the gate on a mart in which a key stands more than once: whatever joins it would be doubled."""
        mart, wrong = candidate.mart, repeated_keys(self._w, candidate)
        if not wrong:
            return
        key = ", ".join(mart.key)
        why = f"{wrong:,} values of the key ({key}) stand more than once, or are null"
        self.verdict.blocked.append(f"{mart.mart}: {why}; a join in its SQL may fan out, or `key:` is not the key")
        self._w.control.append("checks", self._run_id, [
            {
                "owner": mart.mart, "owner_version": candidate.version, "suite": "declaration", "type": "key_is_unique",
                "columns": list(mart.key), "on_fail": "block", "success": False, "unexpected_count": wrong, "why": why,
            }
        ])  # fmt: skip

    def _judge(
        self, owner: Table | Mart, rows: Relation, version: int, key: tuple[str, ...], *, set_aside: bool
    ) -> str:
        result = evaluate(self._w.engines, rows, self._w.pipeline.suites[str(owner.suite)])
        gate = decide(result, rows_set_aside=set_aside)
        name = owner.table if isinstance(owner, Table) else owner.mart
        self.verdict.results[name] = result
        self.verdict.warnings += len(gate.warnings)
        if gate.decision == "block":
            self.verdict.blocked.append(f"{name}: {blocked_message(result, gate)}")
        self._w.control.append("checks", self._run_id, [
            {
                "owner": name, "owner_version": version, "suite": result.suite.name, "type": k.expectation.type,
                "columns": list(k.columns), "on_fail": k.on_fail, "success": k.success,
                "element_count": k.element_count, "unexpected_count": k.unexpected_count, "observed": k.observed,
                "expected": k.expected, "why": k.why,
                "sample_keys": [] if k.success else failing_keys(self._w.engines, rows, k, [n for n in key if not self._is_personal(owner, n)]),
            }
            for k in result.checks
        ])  # fmt: skip
        return {
            "pass": f"{len(result.checks)} checks passed",
            "warn": f"{len(gate.warnings)} warnings",
            "block": "blocked",
        }[gate.decision]

    def _is_personal(self, owner: Table | Mart, column: str) -> bool:
        """Say whether a key column may be personal: in the table, or in any input of the mart."""
        if isinstance(owner, Mart):
            return column in personal_columns(self._w.pipeline, owner)
        return owner.column(column).pii != "none"

    def _publication(self, builder: MartBuilder, aside: Path) -> Publication:
        pipeline = self._w.pipeline
        changed = [k for k in builder.built.values() if k.mart.publish and not k.scope.empty]
        results = {n: r.to_ge_json() for n, r in self.verdict.results.items()}
        return Publication(
            publication_id=self.publication_id, follows=self._standing.newest_id, number=self._standing.next_number,
            pipeline=pipeline.name, run_id=self._run_id, logical_date=self._day,
            code_version=ledgerlake.__version__, config_fingerprint=pipeline.fingerprint,
            delta_versions={n: k.version for n, k in builder.built.items()} | {f"silver.{t}": v for t, v in self.inputs.items()},
            suite_results_json=json.dumps(results, default=str), slices=self._slices(changed, aside),
        )  # fmt: skip

    def _slices(self, changed: list[Candidate], aside: Path) -> tuple[TableSlice, ...]:
        """Export every changed mart, some at a time."""
        slices: dict[str, TableSlice] = {}
        by_name = {k.mart.mart: k for k in changed}
        self._each(
            {n: set() for n in by_name},
            lambda n: slices.update({n: exported(self._w, self.publication_id, by_name[n], aside)}),
        )
        return tuple(slices[n] for n in by_name)

    def _record(self, status: str, builder: MartBuilder, reason: str) -> None:
        sql = self._w.pipeline.sql
        marts = {
            n: {"version": k.version, "fingerprint": mart_fingerprint(k.mart, sql[n])} for n, k in builder.built.items()
        }
        partitions = {n: "whole" if k.scope.whole else list(k.scope.partitions) for n, k in builder.built.items()}
        self._w.control.append("publications", self._run_id, [
            {
                "publication_id": self.publication_id, "logical_date": self._day.isoformat(), "status": status,
                "inputs": self.inputs, "marts": marts, "partitions": partitions, "rows": self.rows, "reason": reason,
                "state": self.state, "follows": self._standing.newest_id, "number": self._standing.next_number,
            }
        ], after=self._w.control.last_sequence("publications"))  # fmt: skip


def marts_stand(workspace: Workspace, last: PublicationRecord | None) -> bool:
    """Say whether the lake still holds every mart that it serves."""
    return last is not None and all(stands(workspace, m, last.marts) for m in workspace.pipeline.spec.marts)


def state_of(workspace: Workspace) -> str:
    """Return the name of what marts would be made from now: tables, their versions, and all declarations."""
    return serving_state(_standing_tables(workspace), workspace.pipeline.fingerprint)


def _standing_tables(workspace: Workspace) -> dict[str, tuple[str, int]]:
    return {t: workspace.storage.standing(workspace.paths.silver(t)) for t in workspace.pipeline.readable}


def silver_versions(workspace: Workspace) -> dict[str, int]:
    """Return the current Delta version of each silver table, history and master, -1 where it does not exist yet."""
    return {name: version for name, (_, version) in _standing_tables(workspace).items()}
