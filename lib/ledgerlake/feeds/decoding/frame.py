"""Decoders at work: here where a batch is small, in Spark's Python workers, an object a task, where it is not."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from ledgerlake.engines.door import Engines
from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.bodies import Body, Limits, limits_of
from ledgerlake.feeds.decoding.changes import Changes, changes_schema
from ledgerlake.feeds.decoding.faults import attributed
from ledgerlake.feeds.decoding.lines import Cut, chunks
from ledgerlake.feeds.frames import reading_session
from ledgerlake.landing.manifest import LandedObject
from ledgerlake.sql.relation import Relation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Decode = Callable[[int, Sequence[bytes]], Changes]
"""(ordinal of the first line, lines) → changes; called for an object's chunks in their order."""
Decoder = Callable[[LandedObject], Decode]
"""Opens an object's decoding. It goes to Spark's workers, so it must be picklable."""
Read = Callable[[LandedObject, Body, Limits], Iterator[Changes]]
"""(object, its content, limits) → its changes, some at a time. It goes to Spark's workers too."""

_FETCHED_TOGETHER = 16  # an object store answers each within tens of milliseconds
_FOLDED_RATIO, _FOLDED = 10, (".gz", ".bz2", ".xz", ".zst")
_PARTS_OF_PATH = 5


def decoded(
    engines: Engines, reading: Reading, decoder: Decoder, cut: Cut = chunks, *, here_bytes: int | None = None
) -> Relation:
    """Return the raw changes of a batch's objects; each is cut into records' texts and decoded."""
    return read_objects(engines, reading, _InChunks(decoder, cut), here_bytes=here_bytes)


def read_objects(engines: Engines, reading: Reading, read: Read, *, here_bytes: int | None = None) -> Relation:
    """Return the raw changes of a batch's objects; each is read once.

    Batches of up to ``here_bytes`` of text (estimated) are decoded in this process. Raises
    :class:`SourceError` naming the object for what cannot be decoded, from Spark's workers too
    (see :func:`ledgerlake.feeds.decoding.faults.fault_in`).
    """
    schema = changes_schema(reading.table)
    most = engines.text_bytes_max if here_bytes is None else here_bytes
    work = _Work({o.path: o for o in reading.objects}, read, limits_of(reading.source_options), schema)
    if sum(text_bytes(o.path, o.size_bytes) for o in reading.objects) <= most:
        rows = pa.Table.from_batches(_here(work, reading), schema)
        return Relation.of(_name_of(reading), rows, schema.names)
    from pyspark.sql.pandas.types import from_arrow_schema

    uris = [f"{reading.lake_uri}/{o.path}" for o in reading.objects]
    bodies = reading_session(engines.session()).read.format("binaryFile").load(uris).select("path", "content")
    all_listed(bodies, reading.objects)
    changes = bodies.mapInArrow(work.on_bodies, from_arrow_schema(schema))
    return Relation.of(_name_of(reading), changes, schema.names)


def _name_of(reading: Reading) -> str:
    """Return what the changes of a batch's objects are called: parts of one batch meet, and need different names."""
    paths = "|".join(o.path for o in reading.objects)
    return f"changes_{hashlib.md5(paths.encode(), usedforsecurity=False).hexdigest()[:8]}"


def all_listed(scan: DataFrame, objects: Sequence[LandedObject]) -> None:
    """Raise :class:`SourceError` where Spark passes over an object: it hides names and takes others for patterns."""
    found = {tail_of(unquote(uri)) for uri in scan.inputFiles()}
    for item in objects:
        if item.path not in found:
            raise SourceError(
                "Spark does not read the landed object", where=Where(file=item.source_name),
                then="look at the lake's address: no part of it may begin with _ or a dot, or hold any of { } [ ] * ?",
            )  # fmt: skip


def tail_of(uri: str) -> str:
    """Return a landed object's path in the lake, from its address."""
    return "/".join(uri.split("/")[-_PARTS_OF_PATH:])


def _here(work: _Work, reading: Reading) -> Iterator[pa.RecordBatch]:
    if len(reading.objects) == 1:
        return work.on_object(reading.objects[0], reading.lake.read(reading.objects[0].path))
    with ThreadPoolExecutor(_FETCHED_TOGETHER) as pool:
        bodies = list(pool.map(reading.lake.read, [o.path for o in reading.objects]))
    return (b for o, body in zip(reading.objects, bodies, strict=True) for b in work.on_object(o, body))


@dataclass(frozen=True)
class _InChunks:
    """Reads records by cutting an object into their texts, and decoding these."""

    decoder: Decoder
    cut: Cut

    def __call__(self, item: LandedObject, body: Body, limits: Limits) -> Iterator[Changes]:
        decode, first = self.decoder(item), 0
        for texts in self.cut(item.source_name, body, limits):
            yield decode(first, texts)
            first += len(texts)


@dataclass(frozen=True)
class _Work:
    """All that a worker needs to know of a batch."""

    objects: Mapping[str, LandedObject]
    read: Read
    limits: Limits
    schema: pa.Schema

    def on_object(self, item: LandedObject, body: Body) -> Iterator[pa.RecordBatch]:
        with attributed(item.source_name):
            changes = self.read(item, body, self.limits)
            while True:
                with _no_collection():
                    found = next(changes, None)
                    batch = found.batch(item.path, self.schema) if found is not None else None
                if batch is None:
                    return
                yield batch

    def on_bodies(self, bodies: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for uri, body in (pair for b in bodies for pair in zip(*b.columns, strict=True)):
            yield from self.on_object(self.objects[tail_of(uri.as_py())], memoryview(body.as_buffer()))


def text_bytes(name: str, size_bytes: int) -> int:
    """Return how much text an object is taken to hold, by its name and stored size."""
    return size_bytes * (_FOLDED_RATIO if name.endswith(_FOLDED) else 1)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among records: it takes a third of the time, and there are none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
