"""What every feed that lands objects shares: their place in the lake, their manifest, the source's location."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePosixPath

from ledgerlake.config.models import Table
from ledgerlake.errors import ConfigError, SourceError, Where
from ledgerlake.feeds.base import Extraction
from ledgerlake.landing.manifest import LandedObject, Manifest, RefusedObject
from ledgerlake.ports.objects import LocalObjects, ObjectStore

_NAME_CHARS = 120  # the end of a longer name, which says what it is


def landing_path(pipeline: str, table: str, digest: str, source_name: str, delivery: int = 1) -> str:
    """Return the place of a delivery, one for each (name, content, number of the delivery).

    The object's own name keeps its safe characters behind a letter: engines hide names that begin
    with ``_`` or a dot or end like an upload, and take others for patterns.
    """
    own = sha256(f"{source_name}\0{delivery}".encode()).hexdigest()[:8]
    name = re.sub(r"[^A-Za-z0-9.-]", "-", PurePosixPath(source_name).name)[-_NAME_CHARS:]
    return f"landing/{pipeline}/{table}/{digest[:16]}-{own}/o-{name}"


def write_manifest(
    request: Extraction,
    table: Table,
    objects: list[LandedObject],
    refused: list[RefusedObject],
    cursor: Mapping[str, object],
    order: str = "",
    seen: Mapping[str, tuple[str, str]] | None = None,
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
        order=order,
        seen=seen or {},
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
