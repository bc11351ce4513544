"""What a run would read, merge, rebuild and publish; looks at lists and control tables only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ledgerlake.config.master_tables import master_tables
from ledgerlake.lake.readers import served
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.extract import outlook
from ledgerlake.ops.load import requested, unfinished
from ledgerlake.ops.mart_engines import mart_engines
from ledgerlake.ops.serve import silver_versions
from ledgerlake.ops.untaken import open_quarantine


@dataclass(frozen=True)
class TablePlan:
    """One table: what would be landed, what is landed but not loaded, what waits in quarantine or for its day."""

    table: str
    to_land: int
    to_load: int
    held: int
    refused: int
    later: int  # objects whose day has not come
    later_from: date | None
    unpublished: bool  # silver is newer than what the last publication serves


@dataclass(frozen=True)
class MartPlan:
    """One mart and why it would be rebuilt: ``whole``, ``by partition`` or ``not``."""

    mart: str
    rebuild: str
    because: tuple[str, ...]
    engine: str  # what builds it where its inputs are small, and why


@dataclass(frozen=True)
class Plan:
    """What a run for ``day`` would do now."""

    pipeline: str
    day: date
    tables: tuple[TablePlan, ...]
    marts: tuple[MartPlan, ...]

    @property
    def empty(self) -> bool:
        """Say whether a run would change nothing."""
        return not any(t.to_land or t.to_load or t.unpublished for t in self.tables) and all(
            m.rebuild == "not" for m in self.marts
        )


def plan(workspace: Workspace, day: date) -> Plan:
    """Return the plan; starts no Spark and opens no data file."""
    to_land, later = outlook(workspace, day)
    rows = open_quarantine(workspace)
    asked = requested(workspace)
    last = served(workspace)
    known = last.inputs if last else {}
    versions = silver_versions(workspace)
    tables = []
    for name in workspace.pipeline.tables:
        own = [r for r in rows if r["table"] == name]
        asked_here = sum(r["quarantine_id"] in asked for r in own)
        tables.append(
            TablePlan(
                table=name, to_land=to_land.get(name, 0), to_load=len(unfinished(workspace, name)) + asked_here,
                held=sum(r["state"] == "held" for r in own), refused=sum(r["state"] == "refused" for r in own),
                later=later[name].objects if name in later else 0,
                later_from=later[name].first if name in later else None,
                unpublished=versions[name] != known.get(name, -1),
            )
        )  # fmt: skip
    moved = {t.table for t in tables if t.to_land or t.to_load or t.unpublished}
    moved |= {name for name, table in workspace.pipeline.readable.items() if table.table in moved}
    mastered = (m for m in workspace.pipeline.spec.masters if any(r.table in moved for r in m.records))
    moved |= master_tables(mastered).keys()
    return Plan(workspace.pipeline.name, day, tuple(tables), _mart_plans(workspace, moved, bool(last)))


def _mart_plans(workspace: Workspace, moved: set[str], published: bool) -> tuple[MartPlan, ...]:
    plans: list[MartPlan] = []
    rebuilt: set[str] = set()
    engines = mart_engines(workspace.pipeline)
    for mart in workspace.pipeline.spec.marts:
        because = [i for i in mart.inputs if i.name in moved | rebuilt]
        whole = not published or any(i.partition is None for i in because)
        if because:
            rebuilt.add(mart.mart)
        plans.append(
            MartPlan(
                mart.mart,
                "not" if not because else "whole" if whole else "by partition",
                tuple(i.name for i in because),
                engines[mart.mart],
            )
        )
    return tuple(plans)
