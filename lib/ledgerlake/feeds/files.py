"""Landing of delivered files, shared by every feed whose source drops objects into storage."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import PurePosixPath

from ledgerlake.config.models import Source, Table
from ledgerlake.errors import ConfigError, SourceError, Where
from ledgerlake.feeds.base import Extraction, Feed
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog, RefusedObject
from ledgerlake.ports.objects import LocalObjects, ObjectInfo, ObjectStore, content_hash

Probe = Callable[[str, bytes], tuple[str, ...]]
"""(source name, content) → layout as ``column:type``; raises SourceError to refuse the object."""
DateOf = Callable[[str], date | None]
"""Source name → the logical date its name tells, None where it tells none."""


_DAY = re.compile(r"(?<![0-9])(\d{4})[-/]?(\d{2})[-/]?(\d{2})(?![0-9])")


class FileFeed(Feed):
    """A feed whose source drops objects below ``location/<resource>/``."""

    @abstractmethod
    def probe(self, source: Source, table: Table) -> Probe:
        """Return the check of a table's objects: (name, content) → layout, or SourceError to refuse one."""

    def date_of(self, name: str) -> date | None:
        """Return the logical date that an object's name tells: its first YYYY-MM-DD, YYYYMMDD or YYYY/MM/DD."""
        for found in _DAY.finditer(name):
            try:
                return date(int(found[1]), int(found[2]), int(found[3]))
            except ValueError:
                continue
        return None

    def file_order(self, name: str) -> str:
        """Return an object's place among the others where the format tells no better: its date, then its name."""
        day = self.date_of(name)
        return f"{day.isoformat() if day else ''}|{PurePosixPath(name).name}"

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land new objects per table; broken ones are refused one by one."""
        landed = [
            land_files(request, t, f"{t.resource}/", self.probe(request.source, t), self.date_of)
            for t in request.tables
        ]
        return [m for m in landed if m]

    def pending(self, request: Extraction) -> dict[str, int]:
        """Count unseen (and replaced) objects per table."""
        return pending_files(request, self.date_of)


def unseen(store: ObjectStore, prefix: str, log: ManifestLog, until: date, date_of: DateOf) -> Iterator[ObjectInfo]:
    """Yield source objects under ``prefix`` that no manifest lists and that belong to ``until`` or before."""
    known = log.known()
    for info in store.list(prefix):
        day = date_of(info.path)
        if info.path not in known and (day is None or day <= until):
            yield info


def changed(store: ObjectStore, prefix: str, log: ManifestLog) -> list[str]:
    """Return the names of source objects whose size no longer fits what was landed.

    Sources write each object once. A name that comes back with other content is ambiguous
    (which delivery holds?) and stops the table. Sizes are compared first, content only for
    objects that were modified after they were landed, so a quiet day reads nothing.
    """
    landed = {o.source_name: (o, m.landed_at) for m in log.all() for o in m.objects}
    suspects = [i for i in store.list(prefix) if i.path in landed and _touched(i, *landed[i.path])]
    return [i.path for i in suspects if content_hash(store.read(i.path)) != landed[i.path][0].content_hash]


def _touched(info: ObjectInfo, item: LandedObject, landed_at: datetime) -> bool:
    return info.size_bytes != item.size_bytes or info.modified_at > landed_at


def land_files(request: Extraction, table: Table, prefix: str, probe: Probe, date_of: DateOf) -> Manifest | None:
    """Copy the table's new objects into landing and write their manifest; None if nothing is new.

    Broken objects are refused one by one and listed in the manifest with the reason. Raises
    :class:`SourceError` where a name came back with different content.
    """
    objects, refused = copy_files(request, table, prefix, probe, date_of)
    return write_manifest(request, table, objects, refused, {}) if objects or refused else None


def copy_files(
    request: Extraction, table: Table, prefix: str, probe: Probe, date_of: DateOf
) -> tuple[list[LandedObject], list[RefusedObject]]:
    """Copy the table's new objects into landing; until a manifest lists them they do not count as landed.

    Raises :class:`SourceError` where a name came back with different content.
    """
    source, log = open_location(request), request.logs[table.table]
    replaced = changed(source, prefix, log)
    if replaced:
        raise SourceError(
            "an object came back under its old name with different content",
            where=Where(file=replaced[0], table=table.table),
            then="deliver corrections under a new name; restore the original object to go on",
        )
    objects: list[LandedObject] = []
    refused: list[RefusedObject] = []
    landed_paths = {o.path for m in log.all() for o in m.objects}
    for info in list(unseen(source, prefix, log, request.logical_date, date_of)):
        body = source.read(info.path)
        digest = content_hash(body)
        try:
            layout = probe(info.path, body)
        except SourceError as error:
            refused.append(RefusedObject(info.path, digest, error.what))
            continue
        path = landing_path(request.pipeline, table.table, digest, info.path)
        if path in landed_paths:
            refused.append(RefusedObject(info.path, digest, "the same object was landed before"))
            continue
        landed_paths.add(path)
        request.lake.write(path, body, if_absent=True)
        objects.append(LandedObject(path, info.path, digest, info.size_bytes, info.modified_at, layout))
    return objects, refused


def pending_files(request: Extraction, date_of: DateOf) -> dict[str, int]:
    """Return table → number of objects that are new, or that came back changed."""
    store = open_location(request)
    found = {}
    for table in request.tables:
        log, prefix = request.logs[table.table], f"{table.resource}/"
        fresh = sum(1 for _ in unseen(store, prefix, log, request.logical_date, date_of))
        found[table.table] = fresh + len(changed(store, prefix, log))
    return found


def landing_path(pipeline: str, table: str, digest: str, source_name: str) -> str:
    """Return the content-addressed place of an object; its name keeps only safe characters."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(source_name).name)
    return f"landing/{pipeline}/{table}/{digest[:16]}/{name}"


def write_manifest(
    request: Extraction,
    table: Table,
    objects: list[LandedObject],
    refused: list[RefusedObject],
    cursor: dict[str, object],
) -> Manifest:
    """Append the extraction's manifest: from here on its objects count as landed."""
    log = request.logs[table.table]
    manifest = Manifest(
        pipeline=request.pipeline,
        table=table.table,
        sequence=log.next_sequence(),
        run_id=request.run_id,
        logical_date=request.logical_date,
        landed_at=request.clock.now(),
        objects=tuple(objects),
        refused=tuple(refused),
        cursor=cursor,
    )
    log.append(manifest)
    return manifest


def open_location(request: Extraction) -> ObjectStore:
    """Open the source's declared location, relative to the environment's source root."""
    if request.source.location is None:
        raise ConfigError(f"source {request.source_name!r} has no location", then="add `location: folder/`")
    store = request.open_source(request.source.location)
    if request.tables and isinstance(store, LocalObjects) and not store.root.is_dir():
        # An unmounted share looks like this; taken for an empty source it would pass unnoticed.
        raise SourceError(
            "the source's folder does not exist", where=Where(file=store.uri),
            then="mount or create it (it may be empty), or correct `location:`",
        )  # fmt: skip
    return store
