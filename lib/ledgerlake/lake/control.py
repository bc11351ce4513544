"""Control tables: append-only Delta tables that say what was run, loaded, checked and published.

They are written and read by delta-rs, so that looking (and recognising a finished batch)
starts no Spark. Records are never changed: the newest record of an id is its state.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from ledgerlake.lake.paths import LakePaths
from ledgerlake.lake.tables import TableStorage, _rs_uri
from ledgerlake.ports.clock import Clock

_TEXT, _LONG, _TIME = pa.string(), pa.int64(), pa.timestamp("us", tz="UTC")
_COMMON = {"pipeline": _TEXT, "run_id": _TEXT, "recorded_at": _TIME}

SCHEMAS: dict[str, pa.Schema] = {
    name: pa.schema(list((_COMMON | own).items()))
    for name, own in {
        "runs": {
            "logical_date": _TEXT, "status": _TEXT, "started_at": _TIME, "code_version": _TEXT,
            "config_fingerprint": _TEXT, "publication_id": _TEXT, "message": _TEXT, "details": _TEXT,
        },
        "batches": {
            "batch_id": _TEXT, "table": _TEXT, "kind": _TEXT, "status": _TEXT, "logical_date": _TEXT,
            "read": _LONG, "applied": _LONG, "superseded": _LONG, "duplicate": _LONG, "quarantined": _LONG,
            "held": _LONG, "position_min": _TEXT, "position_max": _TEXT, "truncated_at": _TEXT,
            "extracted_min": _TEXT, "extracted_max": _TEXT,
            "bronze_version": _LONG, "silver_version": _LONG, "objects": _TEXT,
            "reason": _TEXT, "milliseconds": _LONG,
        },
        "checks": {
            "owner": _TEXT, "owner_version": _LONG, "suite": _TEXT, "type": _TEXT, "columns": _TEXT,
            "on_fail": _TEXT, "success": pa.bool_(), "element_count": _LONG, "unexpected_count": _LONG,
            "observed": _TEXT, "expected": _TEXT, "why": _TEXT, "sample_keys": _TEXT,
        },
        "publications": {
            "publication_id": _TEXT, "logical_date": _TEXT, "status": _TEXT, "inputs": _TEXT, "marts": _TEXT,
            "partitions": _TEXT, "rows": _TEXT, "reason": _TEXT,
        },
        "releases": {"quarantine_id": _TEXT, "table": _TEXT, "action": _TEXT, "batch_id": _TEXT},
        "masters": {"master": _TEXT, "fingerprint": _TEXT, "inputs": _TEXT, "rows": _TEXT},
        "access": {
            "who": _TEXT, "master": _TEXT, "key_hash": _TEXT, "as_of": _TEXT, "fields": _TEXT, "reason": _TEXT,
        },
        "alerts": {
            "alert": _TEXT, "finding_id": _TEXT, "status": _TEXT, "publication_id": _TEXT, "finding_key": _TEXT,
            "message": _TEXT,
        },
        "retention": {
            "table": _TEXT, "kind": _TEXT, "status": _TEXT, "days": _LONG, "objects": _LONG, "bytes": _LONG,
            "oldest_kept": _TIME, "paths": _TEXT,
        },
        "schema_changes": {"table": _TEXT, "column": _TEXT, "type": _TEXT, "batch_id": _TEXT},
    }.items()
}  # fmt: skip


class ControlTables:
    """Appends and reads control records of one pipeline."""

    def __init__(self, paths: LakePaths, storage: TableStorage, clock: Clock) -> None:
        self._paths, self._storage, self._clock = paths, storage, clock
        self._lock = threading.Lock()
        self._cache: dict[str, list[dict[str, Any]]] = {}

    def append(self, name: str, run_id: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records; missing fields are null, dictionaries and lists become JSON."""
        schema = SCHEMAS[name]
        stamp = {"pipeline": self._paths.pipeline, "run_id": run_id, "recorded_at": self._clock.now()}
        rows = [{f: _plain((record | stamp).get(f)) for f in schema.names} for record in map(dict, records)]
        if not rows:
            return
        with self._lock:  # delta-rs writers of one process queue up instead of racing for a version
            write_deltalake(
                _rs_uri(self._paths.control(name)), pa.Table.from_pylist(rows, schema=schema), mode="append",
                schema_mode="merge", storage_options=self._storage.options,  # releases add fields, never remove
            )  # fmt: skip
            if name in self._cache:
                self._cache[name] += rows

    def read(self, name: str) -> list[dict[str, Any]]:
        """Return this pipeline's records in the order they were written; read once per process."""
        with self._lock:
            if name not in self._cache:
                table = self._storage.rows(self._paths.control(name), f"pipeline = '{self._paths.pipeline}'")
                rows = table.to_pylist() if table else []
                self._cache[name] = sorted(rows, key=lambda r: r["recorded_at"])
            return list(self._cache[name])

    def latest(
        self, name: str, key: str, keep: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, dict[str, Any]]:
        """Return the newest record for each value of ``key`` among those that ``keep`` accepts."""
        return {row[key]: row for row in self.read(name) if keep(row)}

    def finished_batches(self, table: str | None = None) -> dict[str, dict[str, Any]]:
        """Return finished batches by id, of one table or all: recognised before any data is opened."""
        return self.latest("batches", "batch_id", lambda r: r["status"] == "finished" and table in (None, r["table"]))

    def last_publication(self) -> dict[str, Any] | None:
        """Return the newest publication that is served, or None before the first."""
        served = [r for r in self.read("publications") if r["status"] == "published"]
        return served[-1] if served else None


def _plain(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value
