"""Manifests: which objects one extraction landed for one table, numbered and immutable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias

from ledgerlake.errors import TransientError, Where
from ledgerlake.ports.objects import ObjectStore

Layout: TypeAlias = tuple[tuple[str, str], ...]
"""(Column, type) in the order of a file."""


@dataclass(frozen=True)
class LandedObject:
    """One delivery: an immutable object in landing.

    ``path`` is relative to the lake; ``source_name`` is its name at the source, ``version`` the
    store's word for its state there; ``layout`` are the (column, type) pairs that a probe found
    (empty for formats without a header). ``delivery`` counts what came under this name.
    """

    path: str
    source_name: str
    content_hash: str
    size_bytes: int
    extracted_at: datetime
    layout: Layout = ()
    version: str = ""
    delivery: int = 1


@dataclass(frozen=True)
class RefusedObject:
    """One source object that was not landed, and why.

    ``declared`` is the fingerprint of the declaration that it was judged by: under another one
    it is judged again. ``content_hash`` is empty where its content was not looked at.
    """

    source_name: str
    content_hash: str
    reason: str
    version: str = ""
    declared: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """Return (name, content): what a decision about it names."""
        return self.source_name, self.content_hash


@dataclass(frozen=True)
class Manifest:
    """One extraction of one table; ``cursor`` is where the next one continues.

    ``order`` is what was declared of the order of its objects; ``seen`` maps names to a version whose
    content (its hash follows) was landed or refused before, so that it is not opened again.
    """

    pipeline: str
    table: str
    sequence: int
    run_id: str
    logical_date: date
    landed_at: datetime
    objects: tuple[LandedObject, ...]
    refused: tuple[RefusedObject, ...] = ()
    cursor: Mapping[str, Any] = field(default_factory=dict)
    order: str = ""
    seen: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the manifest as JSON, times in ISO 8601 with zone."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, default=_iso).encode()

    @staticmethod
    def from_json(body: bytes) -> Manifest:
        """Read what :meth:`to_json` wrote."""
        data = json.loads(body)
        objects = tuple(
            LandedObject(
                **{
                    **o,
                    "extracted_at": datetime.fromisoformat(o["extracted_at"]),
                    "layout": tuple((name, kind) for name, kind in o["layout"]),
                }
            )
            for o in data.pop("objects")
        )
        refused = tuple(RefusedObject(**r) for r in data.pop("refused"))
        data["seen"] = {name: (version, content) for name, (version, content) in data["seen"].items()}
        data["logical_date"] = date.fromisoformat(data["logical_date"])
        data["landed_at"] = datetime.fromisoformat(data["landed_at"])
        return Manifest(objects=objects, refused=refused, **data)


def _iso(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not belong in a manifest")


@dataclass
class Record:
    """What a table's manifests say of source objects: the newest delivery of each name, what was refused, which versions were looked at."""

    landed: dict[str, LandedObject] = field(default_factory=dict)
    refused: dict[tuple[str, str], RefusedObject] = field(default_factory=dict)
    looked_at: dict[str, tuple[str, RefusedObject | None]] = field(default_factory=dict)
    """Name → the version that was looked at last, and the refusal that it met."""

    def add(self, manifest: Manifest) -> None:
        """Take the next manifest."""
        for landed in manifest.objects:
            self.landed[landed.source_name] = landed
            self.looked_at[landed.source_name] = (landed.version, None)
        for refused in manifest.refused:
            self.refused[refused.identity] = refused
            self.looked_at[refused.source_name] = (refused.version, refused)
        for name, (version, content) in manifest.seen.items():
            self.looked_at[name] = (version, self.refused.get((name, content)))


class ManifestLog:
    """The manifests of one table in order: the record of everything that ever arrived."""

    def __init__(
        self, store: ObjectStore, pipeline: str, table: str, may_write: Callable[[], None] = lambda: None
    ) -> None:
        self._store, self._pipeline, self._table, self._may_write = store, pipeline, table, may_write
        self._prefix = f"landing/{pipeline}/{table}/_manifests/"
        self._read: list[Manifest] | None = None
        self._last = 0
        self.unreadable: list[str] = []
        """Manifests that a crash left empty or half-written: such an extraction never counted, and is repeated."""
        self._record: Record | None = None

    def all(self) -> list[Manifest]:
        """Return every manifest, oldest first; each object is read once per process."""
        if self._read is None:
            self._read = []
            for path in [info.path for info in self._store.list(self._prefix)]:
                self._last = int(path.rpartition("/")[2].removesuffix(".json"))
                try:
                    self._read.append(Manifest.from_json(self._store.read(path)))
                except (ValueError, KeyError, TypeError, AttributeError):
                    self.unreadable.append(path)
        return self._read

    def record(self) -> Record:
        """Return what is known of each object by its name."""
        if self._record is None:
            self._record = Record()
            for manifest in self.all():
                self._record.add(manifest)
        return self._record

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
        self._last, self._record = manifest.sequence, None

    def next_sequence(self) -> int:
        """Return the number of the next manifest, counting from 1."""
        self.all()
        return self._last + 1
