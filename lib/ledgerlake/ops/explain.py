"""Explains a golden record: why each field is what it is, now or as of a moment, from what is published.

Personal fields are masked unless somebody asks for them with a reason; that is recorded before
anything is shown (control table ``access``). Reads without Spark.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledgerlake.config.master_tables import id_column, links_table, versions_table
from ledgerlake.config.mastering import Master, MasterField
from ledgerlake.config.models import Pipeline, Table
from ledgerlake.config.personal import MASK
from ledgerlake.core.identity import fingerprint
from ledgerlake.errors import ConfigError, NotFoundError, Where
from ledgerlake.lake.readers import served
from ledgerlake.lake.workspace import Workspace

Facts = dict[str, Any]


@dataclass(frozen=True)
class Clearance:
    """Who may see personal data in the clear, and why; both are recorded."""

    who: str
    reason: str


def master_called(pipeline: Pipeline, name: str) -> Master | None:
    """Return the master of that name, or the one behind a mart of that name."""
    for master in pipeline.spec.masters:
        readers = {m.mart for m in pipeline.spec.marts if any(i.table == f"{master.master}_versions" for i in m.inputs)}
        if name in {master.master, *readers}:
            return master
    return None


def explain(
    workspace: Workspace, master: Master, key: str, as_of: datetime | None = None, clearance: Clearance | None = None
) -> Facts:
    """Return every field of one customer with source, record, time, rule and losers.

    ``key`` is an id of the master (also one that was merged away) or ``source:record``. Raises
    NotFoundError where it is unknown, or there was no such customer at ``as_of`` (UTC).
    """
    if clearance is not None and not clearance.reason.strip():
        raise ConfigError("personal data is shown for a reason only", then='add --reason "why you need it"')
    published = _Published(workspace, master)
    id_ = published.id_of(key, as_of)
    row = published.version(id_, as_of)
    if clearance is not None:
        _record(workspace, master, id_, as_of, clearance)
    return {
        "master": master.master, "key": key, id_column(master): id_, "as_of": as_of,
        "publication_id": published.publication_id, "valid_from": row["valid_from"], "valid_to": row["valid_to"],
        "merged_into": id_ if key.startswith(master.id_prefix) and key != id_ else None,
        "records": published.records(id_, as_of), "fields": _fields(master, row, hidden=clearance is None),
    }  # fmt: skip


def _fields(master: Master, row: Facts, *, hidden: bool) -> list[Facts]:
    losers = json.loads(row["losers"])
    return [
        _field(f, row, [k for k in losers if k["field"] == f.name], hidden and f.pii != "none") for f in master.fields
    ]


def _field(field: MasterField, row: Facts, losers: list[Facts], masked: bool) -> Facts:
    def shown(value: Any) -> Any:
        return MASK if masked and value is not None else value

    return {
        "field": field.name, "value": shown(row[field.name]), "source": row[f"{field.name}_source"],
        "record": row[f"{field.name}_record"], "time": row[f"{field.name}_time"], "rule": row[f"{field.name}_rule"],
        "losers": [{n: k[n] for n in ("source", "record", "time", "lost_by")} | {"value": shown(k["value"])} for k in losers],
    }  # fmt: skip


def _record(workspace: Workspace, master: Master, id_: str, as_of: datetime | None, clearance: Clearance) -> None:
    workspace.control.append("access", "explain", [
        {
            "who": clearance.who, "master": master.master, "key_hash": key_hash(master, id_), "reason": clearance.reason,
            "as_of": as_of.isoformat() if as_of else None, "fields": [f.name for f in master.fields if f.pii != "none"],
        }
    ])  # fmt: skip


def key_hash(master: Master, id_: str) -> str:
    """Return what stands for a key in the access records: it tells nothing to who does not know the key."""
    return fingerprint([master.master, id_])[:24]


class _Published:
    """A master's tables at the versions that readers are served now."""

    def __init__(self, workspace: Workspace, master: Master) -> None:
        self._w, self._master = workspace, master
        last = served(workspace)
        if last is None or last.inputs.get(versions_table(master).table, -1) < 0:
            raise NotFoundError(
                "nothing of this master is published yet", where=Where(table=master.master), then="run the pipeline"
            )
        self._inputs, self.publication_id = last.inputs, last.publication_id

    def id_of(self, key: str, as_of: datetime | None) -> str:
        """Return the id that a key leads to at a moment: its own, or the one its record belonged to."""
        source, colon, record = key.partition(":")
        id_ = id_column(self._master)
        named = f"source = {_text(source)} AND record = {_text(record)}" if colon else f"own_{id_} = {_text(key)}"
        found = _at(self._rows(links_table(self._master), named), as_of)
        if not found:
            known = ", ".join(r.record for r in self._master.records)
            raise NotFoundError(
                "no such key" + (" at that moment" if as_of else ""), where=Where(table=self._master.master),
                then=f"give an id ({self._master.id_prefix}…) or source:record; sources are {known}",
            )  # fmt: skip
        return str(found[0][id_])

    def version(self, id_: str, as_of: datetime | None) -> Facts:
        """Return the golden version of an id at a moment."""
        found = _at(self._rows(versions_table(self._master), f"{id_column(self._master)} = {_text(id_)}"), as_of)
        if not found:
            raise NotFoundError(
                "all records of this key were deleted at their sources by then", where=Where(table=self._master.master),
                then="ask for an earlier moment with --as-of",
            )  # fmt: skip
        return found[0]

    def records(self, id_: str, as_of: datetime | None) -> list[Facts]:
        """Return the records of a customer, and since when and how each belongs to it."""
        rows = _at(self._rows(links_table(self._master), f"{id_column(self._master)} = {_text(id_)}"), as_of)
        names = ("source", "record", "valid_from", "event", "record_ended")
        return [{n: r[n] for n in names} for r in sorted(rows, key=lambda r: (r["source"], r["record"]))]

    def _rows(self, table: Table, where: str) -> list[Facts]:
        uri = self._w.paths.silver(table.table)
        found = self._w.storage.rows(uri, where, self._inputs[table.table])
        return found.to_pylist() if found else []


def _at(rows: list[Facts], as_of: datetime | None) -> list[Facts]:
    if as_of is None:
        return [r for r in rows if r["valid_to"] is None]
    return [r for r in rows if r["valid_from"] <= as_of and (r["valid_to"] is None or as_of < r["valid_to"])]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
