"""Manifests: which objects one extraction landed for one table, numbered and immutable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from ledgerlake.errors import TransientError, Where
from ledgerlake.ports.objects import ObjectStore


@dataclass(frozen=True)
class LandedObject:
    """One immutable object in landing.

    ``path`` is relative to the lake; ``source_name`` is its name at the source; ``layout`` are
    the ``column:type`` pairs a probe found (empty for formats without a header).
    """

    path: str
    source_name: str
    content_hash: str
    size_bytes: int
    extracted_at: datetime
    layout: tuple[str, ...] = ()


@dataclass(frozen=True)
class RefusedObject:
    """One source object that was not landed, and why."""

    source_name: str
    content_hash: str
    reason: str


@dataclass(frozen=True)
class Manifest:
    """One extraction of one table; ``cursor`` is where the next one continues."""

    pipeline: str
    table: str
    sequence: int
    run_id: str
    logical_date: date
    landed_at: datetime
    objects: tuple[LandedObject, ...]
    refused: tuple[RefusedObject, ...] = ()
    cursor: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the manifest as JSON, times in ISO 8601 with zone."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, default=_iso).encode()

    @staticmethod
    def from_json(body: bytes) -> Manifest:
        """Read what :meth:`to_json` wrote."""
        data = json.loads(body)
        objects = tuple(
            LandedObject(
                **{**o, "extracted_at": datetime.fromisoformat(o["extracted_at"]), "layout": tuple(o["layout"])}
            )
            for o in data.pop("objects")
        )
        refused = tuple(RefusedObject(**r) for r in data.pop("refused"))
        data["logical_date"] = date.fromisoformat(data["logical_date"])
        data["landed_at"] = datetime.fromisoformat(data["landed_at"])
        return Manifest(objects=objects, refused=refused, **data)


def _iso(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a manifest")


class ManifestLog:
    """The manifests of one table in order: the record of everything that ever arrived."""

    def __init__(
        self, store: ObjectStore, pipeline: str, table: str, may_write: Callable[[], None] = lambda: None
    ) -> None:
        self._store, self._pipeline, self._table, self._may_write = store, pipeline, table, may_write
        self._prefix = f"landing/{pipeline}/{table}/_manifests/"
        self._read: list[Manifest] | None = None

    def all(self) -> list[Manifest]:
        """Return every manifest, oldest first; each object is read once per process."""
        if self._read is None:
            paths = [info.path for info in self._store.list(self._prefix)]
            self._read = [Manifest.from_json(self._store.read(path)) for path in paths]
        return self._read

    def known(self) -> dict[str, str]:
        """Return source name → content hash of every object landed or refused before."""
        found: dict[str, str] = {}
        for manifest in self.all():
            found |= {o.source_name: o.content_hash for o in manifest.objects}
            found |= {r.source_name: r.content_hash for r in manifest.refused}
        return found

    def latest_cursor(self) -> Mapping[str, Any]:
        """Return where the last extraction ended; empty before the first."""
        return self.all()[-1].cursor if self.all() else {}

    def covers(self, day: date) -> bool:
        """Say whether an extraction for ``day`` or a later one was landed."""
        return any(m.logical_date >= day for m in self.all())

    def append(self, manifest: Manifest) -> None:
        """Write the next manifest; a second writer of the same number loses, cleanly."""
        path = f"{self._prefix}{manifest.sequence:08d}.json"
        self._may_write()
        if not self._store.write(path, manifest.to_json(), if_absent=True):
            raise TransientError(
                "another run landed this table at the same moment",
                where=Where(table=self._table),
                then="run again; it will read what the other run landed",
            )
        self.all().append(manifest)

    def next_sequence(self) -> int:
        """Return the number of the next manifest, counting from 1."""
        return len(self.all()) + 1
