"""Control tables: append-only Delta tables that say what was run, loaded, checked and published.

They are written and read by delta-rs, so that looking (and recognising a finished batch)
starts no Spark. Records are never changed: the newest record of an id is its state.

Their order is a sequence of their own, never a clock: each pipeline's records of a table are
numbered, and a commit takes the next numbers or is made again (Delta's application transactions
let one of two concurrent commits win). ``recorded_at`` is for people.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from ledgerlake.errors import StorageUnavailable, TransientError
from ledgerlake.lake.paths import LakePaths
from ledgerlake.lake.tables import TableStorage
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.failures import storage_errors

_TEXT, _LONG, _TIME = pa.string(), pa.int64(), pa.timestamp("us", tz="UTC")
_COMMON = {"pipeline": _TEXT, "sequence": _LONG, "run_id": _TEXT, "recorded_at": _TIME}
_ATTEMPTS = 20  # each lost one is a record that somebody else wrote

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
            "reason": _TEXT, "milliseconds": _LONG, "declared": _TEXT, "engine": _TEXT, "engine_because": _TEXT,
        },
        "checks": {
            "owner": _TEXT, "owner_version": _LONG, "suite": _TEXT, "type": _TEXT, "columns": _TEXT,
            "on_fail": _TEXT, "success": pa.bool_(), "element_count": _LONG, "unexpected_count": _LONG,
            "observed": _TEXT, "expected": _TEXT, "why": _TEXT, "sample_keys": _TEXT,
        },
        "publications": {
            "publication_id": _TEXT, "logical_date": _TEXT, "status": _TEXT, "inputs": _TEXT, "marts": _TEXT,
            "partitions": _TEXT, "rows": _TEXT, "reason": _TEXT, "state": _TEXT, "follows": _TEXT, "number": _LONG,
        },
        "decisions": {
            "subject": _TEXT, "kind": _TEXT, "table": _TEXT, "action": _TEXT, "batch_id": _TEXT, "who": _TEXT,
            "reason": _TEXT,
        },
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

    def append(self, name: str, run_id: str, records: Iterable[Mapping[str, Any]], *, after: int | None = None) -> None:
        """Append records; missing fields are null, dictionaries and lists become JSON.

        With ``after`` only where the pipeline's last record of the table has that sequence number.
        Raises :class:`TransientError` where somebody else wrote meanwhile.
        """
        stamp = {"pipeline": self._paths.pipeline, "run_id": run_id, "recorded_at": self._clock.now()}
        rows = [{f: _plain((record | stamp).get(f)) for f in SCHEMAS[name].names} for record in map(dict, records)]
        if not rows:
            return
        with self._lock:  # delta-rs writers of one process queue up instead of racing for a version
            before = self._committed(name, rows, after)
            cached = self._cache.get(name)
            if cached is not None and _last(cached) == before:
                cached += rows
            else:  # somebody else wrote in between
                self._cache.pop(name, None)

    def _committed(self, name: str, rows: list[dict[str, Any]], after: int | None) -> int:
        """Number the rows and append them; return the number before the first."""
        uri, schema = self._paths.control(name), SCHEMAS[name]
        for _ in range(_ATTEMPTS):
            self._storage.fence.check()
            table = self._storage.open(uri)
            if table is None:
                self._storage.create(uri, list(Schema.from_arrow(schema).fields), {})
                table = self._storage.open(uri)
                assert table is not None, "it was created just now"
            before = table.transaction_version(self._paths.pipeline) or 0
            if after is not None and before != after:
                break
            for number, row in enumerate(rows, before + 1):
                row["sequence"] = number
            numbered = CommitProperties(app_transactions=[Transaction(self._paths.pipeline, before + len(rows))])
            try:
                with suppress(CommitFailedError), storage_errors():
                    write_deltalake(
                        table, pa.Table.from_pylist(rows, schema=schema), mode="append", commit_properties=numbered,
                        schema_mode="merge",  # releases add fields, never remove
                    )  # fmt: skip
                    return before
            except StorageUnavailable:  # the answer may be all that was lost
                if self._stand(uri, rows):
                    return before
        raise TransientError(
            f"other runs wrote to the control table {name!r} at the same moment", then="run the same command again"
        )

    def _stand(self, uri: str, rows: list[dict[str, Any]]) -> bool:
        """Say whether these very rows are written."""
        first, last = rows[0], rows[-1]
        where = f"pipeline = '{self._paths.pipeline}' AND sequence BETWEEN {first['sequence']} AND {last['sequence']}"
        found = self._storage.rows(uri, where)
        written = sorted(found.to_pylist(), key=lambda r: r["sequence"]) if found else []
        return written == [{k: row[k] for k in written[0]} for row in rows] if written else False

    def read(self, name: str) -> list[dict[str, Any]]:
        """Return this pipeline's records in the order they were written; read once per process."""
        with self._lock:
            if name not in self._cache:
                table = self._storage.rows(self._paths.control(name), f"pipeline = '{self._paths.pipeline}'")
                rows = table.to_pylist() if table else []
                self._cache[name] = sorted(rows, key=lambda r: r["sequence"])
            return list(self._cache[name])

    def latest(
        self, name: str, key: str, keep: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, dict[str, Any]]:
        """Return the newest record for each value of ``key`` among those that ``keep`` accepts."""
        return {row[key]: row for row in self.read(name) if keep(row)}

    def finished_batches(self, table: str | None = None) -> dict[str, dict[str, Any]]:
        """Return finished batches by id, of one table or all: recognised before any data is opened."""
        return self.latest("batches", "batch_id", lambda r: r["status"] == "finished" and table in (None, r["table"]))

    def forget(self) -> None:
        """Read everything anew when it is next asked for: others may have written."""
        with self._lock:
            self._cache.clear()

    def last_sequence(self, name: str) -> int:
        """Return the number of the pipeline's newest record of a table, 0 before the first."""
        return _last(self.read(name))

    def last_publication(self) -> dict[str, Any] | None:
        """Return the newest publication that is served, or None before the first."""
        served = [r for r in self.read("publications") if r["status"] == "published"]
        return served[-1] if served else None


def _last(rows: list[dict[str, Any]]) -> int:
    return int(rows[-1]["sequence"]) if rows else 0


def _plain(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, sort_keys=True, default=str)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value
