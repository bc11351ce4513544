"""Declarations that contradict what is loaded: found at the start of a run, before anything is touched.

Tables grow by new columns. Any other change of what a loaded row means (a column's type, the key,
whether changes are partial, whether keys are written once) is refused with what is loaded, what is
declared, and what can be done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ledgerlake.config.models import Table
from ledgerlake.core import change as c
from ledgerlake.errors import ConfigError, Where
from ledgerlake.lake.tables import declared_meaning, value_field
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.extract import Failure


def refused_changes(workspace: Workspace) -> list[Failure]:
    """Return the tables whose declaration does not fit what is loaded, and why."""
    return [
        Failure(name, _error(table, found))
        for name, table in workspace.pipeline.tables.items()
        if (found := list(_differences(workspace, table)))
    ]


def _differences(workspace: Workspace, table: Table) -> Iterator[str]:
    """Yield in words how a table is loaded and how it is declared."""
    standing = workspace.storage.open(workspace.paths.silver(table.table))
    if standing is None:
        return
    loaded = {f.name: f.type for f in standing.schema().fields}
    for column in table.columns:
        wanted = value_field(column).type
        if column.name in loaded and loaded[column.name] != wanted:
            yield f"{column.name} is loaded as {_named(loaded[column.name])} and declared as {column.type}"
    meant = json.loads(standing.metadata().description or "{}")
    for name, now in declared_meaning(table).items():
        if name in meant and meant[name] != now:
            yield f"`{name}` is loaded as {_said(meant[name])} and declared as {_said(now)}"
    if not meant and table.changes == "partial" and c.BASE_POSITION not in loaded:
        yield "`changes` is loaded as whole and declared as partial"


def _named(kind: object) -> str:
    return str(getattr(kind, "type", kind))


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()


def _error(table: Table, found: list[str]) -> ConfigError:
    return ConfigError(
        f"the declaration contradicts what is loaded: {'; '.join(found)}",
        where=Where(table=table.table),
        then=f"restore the declaration; or declare it as a table of another name (`{table.table}_2`, the same `resource`),"
        " which is loaded from the source from the beginning, and let the marts read that",
    )
