"""Which objects of a source are new, which came back, and which are judged again; each delivery is landed once.

A delivery's identity is its name and its content. Whether an object changed is told by the store's
own version of it, never by a clock; a quiet day opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ledgerlake.config.models import Source, Table
from ledgerlake.core.identity import fingerprint
from ledgerlake.errors import ConfigError, NotFoundError, SourceError, Where
from ledgerlake.feeds.base import Extraction, Later
from ledgerlake.feeds.decoding.faults import attributed
from ledgerlake.feeds.landed import landing_path, open_location
from ledgerlake.landing.manifest import LandedObject, Layout, RefusedObject
from ledgerlake.ports.objects import ObjectInfo, ObjectStore, content_hash

if TYPE_CHECKING:
    from ledgerlake.feeds.files import FileFeed

REPLACED = (
    "it came back under its old name with different content. Next: deliver corrections under a new name, "
    "declare `replaced: newer` on the source, or release or dismiss the object"
)
_UPLOADING = (
    "._copying_", ".crdownload", ".part", ".partial", ".tmp", ".temp", ".filepart", ".swp", ".download", ".upload", "~",
)  # fmt: skip
_SMALL_BYTES, _TOGETHER = 1 << 20, 16
"""Small objects are copied side by side: each costs a round trip, not work."""


def declaration(source: Source, table: Table) -> str:
    """Return the fingerprint of all that an object is judged by."""
    return fingerprint([table.fingerprint, source.feed, source.location, source.options])


@dataclass
class Copied:
    """What one extraction took for one table; ``seen`` are names whose new version has a content that is known."""

    objects: list[LandedObject] = field(default_factory=list)
    refused: list[RefusedObject] = field(default_factory=list)
    seen: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.objects or self.refused or self.seen)


def waiting(feed: FileFeed, request: Extraction, table: Table) -> list[ObjectInfo]:
    """Return the source objects to be opened: new, of another version than before, or refused under another declaration.

    What is dated after the request's day waits for it: how much, and until when, goes to ``request.later``.
    Raises :class:`ConfigError` where the order of what was landed before was declared otherwise.
    """
    _check_order(feed, request, table)
    store, dates = open_location(request), feed.dates(request.source)
    known = request.logs[table.table].record()
    declared = declaration(request.source, table)

    def settled(info: ObjectInfo) -> bool:
        version, refused = known.looked_at.get(info.path, ("", None))
        if version != info.version:
            return False
        if refused is None or refused.identity in request.dismissed:
            return True
        return refused.declared == declared and refused.identity not in request.retried

    listed = (info for prefix in feed.prefixes(request.source, table) for info in store.list(prefix))
    found = [(info, dates(info.path)) for info in listed if not _is_marker(info) and not settled(info)]
    later = [day for _, day in found if day is not None and day > request.logical_date]
    request.later.pop(table.table, None)
    if later:
        request.later[table.table] = Later(len(later), min(later))
    return [info for info, day in found if day is None or day <= request.logical_date]


def copy(feed: FileFeed, request: Extraction, table: Table, probe: Callable[[str, bytes], Layout]) -> Copied:
    """Copy new objects into landing; until a manifest lists them they do not count as landed."""
    infos = waiting(feed, request, table)
    names = feed.name_check(request.source, table, request.logs[table.table].record().landed, [i.path for i in infos])

    def check(name: str, body: bytes) -> Layout:
        names(name)
        return probe(name, body)

    take = _Take(feed, request, table, open_location(request), check)
    copied = Copied()
    for info, found in zip(infos, _side_by_side(take, infos), strict=True):
        if isinstance(found, LandedObject):
            copied.objects.append(found)
        elif isinstance(found, RefusedObject):
            copied.refused.append(found)
        else:
            copied.seen[info.path] = (info.version, found)
    return copied


def _side_by_side(take: _Take, infos: list[ObjectInfo]) -> Iterator[LandedObject | RefusedObject | str]:
    """Yield what becomes of each object, in order; only small ones are in memory together."""
    with ThreadPoolExecutor(_TOGETHER) as pool:
        small = {i.path: pool.submit(take, i) for i in infos if i.size_bytes <= _SMALL_BYTES}
        for info in infos:
            yield small[info.path].result() if info.path in small else take(info)


class _Take:
    """Judges one object and copies it."""

    def __init__(
        self,
        feed: FileFeed,
        request: Extraction,
        table: Table,
        store: ObjectStore,
        check: Callable[[str, bytes], Layout],
    ) -> None:
        self._feed, self._request, self._table, self._store, self._check = feed, request, table, store, check
        self._known = request.logs[table.table].record()
        self._declared = declaration(request.source, table)
        self._newer = request.source.options.get("replaced") == "newer"
        self._bytes_max = feed.bytes_max(request.source)

    def __call__(self, info: ObjectInfo) -> LandedObject | RefusedObject | str:
        """Return the landed object, the refused one, or the hash of a content that is known."""
        unfit = info.fault or _unfit(info.path)
        if self._bytes_max is not None and info.size_bytes > self._bytes_max:
            unfit = f"it holds more than {self._bytes_max:,} bytes. Next: split it, or raise `limits:` on the source"
        try:
            body = b"" if unfit else self._store.read(info.path)
        except NotFoundError:
            unfit = "it was listed and is not there: a link that leads nowhere, or an object that was removed meanwhile"
        if unfit:
            return self._refused(info, "", unfit)
        digest = content_hash(body)
        return digest if self._is_known(info.path, digest) else self._judged(info, body, digest)

    def _is_known(self, name: str, digest: str) -> bool:
        landed, refused = self._known.landed.get(name), self._known.refused.get((name, digest))
        if landed is not None and landed.content_hash == digest:
            return True
        if (name, digest) in self._request.retried:
            return False
        judged = refused is not None and refused.declared == self._declared
        return judged or (name, digest) in self._request.dismissed

    def _judged(self, info: ObjectInfo, body: bytes, digest: str) -> LandedObject | RefusedObject:
        before = self._known.landed.get(info.path)
        if before and not self._newer and (info.path, digest) not in self._request.retried:
            return self._refused(info, digest, REPLACED)
        try:
            with attributed(info.path):
                if before:
                    self._feed.refuse_replaced(info.path)
                layout = self._check(info.path, body)
        except SourceError as error:
            return self._refused(info, digest, _reason(error))
        delivery = before.delivery + 1 if before else 1
        path = landing_path(self._request.pipeline, self._table.table, digest, info.path, delivery)
        self._request.lake.write(path, body, if_absent=True)
        return LandedObject(
            path, info.path, digest, info.size_bytes, info.modified_at, layout, info.version, delivery
        )  # fmt: skip

    def _refused(self, info: ObjectInfo, digest: str, reason: str) -> RefusedObject:
        return RefusedObject(info.path, digest, reason, info.version, self._declared)


def _reason(error: SourceError) -> str:
    said = f"line {error.where.line}: {error.what}" if error.where.line else error.what
    return f"{said}. Next: {error.then}" if error.then else said


def _unfit(path: str) -> str | None:
    """Return why an object of this name is not opened: it is still being written, or is no delivery at all."""
    name = PurePosixPath(path).name.lower()
    if name.endswith(_UPLOADING):
        return "the name of an upload that is not finished: it is read when it comes under its final name"
    return "a file of macOS beside the delivered one, with none of its records" if name.startswith("._") else None


def _is_marker(info: ObjectInfo) -> bool:
    """Say whether an object is there for its name alone: a folder of an object store, the mark of a finished export."""
    return info.size_bytes == 0 and (info.path.endswith("/") or PurePosixPath(info.path).name == "_SUCCESS")


def _check_order(feed: FileFeed, request: Extraction, table: Table) -> None:
    declared = feed.order_declared(request.source, table)
    earlier = next((m for m in reversed(request.logs[table.table].all()) if m.objects), None)
    if earlier is not None and earlier.order != declared:
        raise ConfigError(
            f"the order of the table's objects is declared otherwise than for what is landed: {declared or 'the default'}"
            f" now, {earlier.order or 'the default'} before; positions of two orders do not compare",
            where=Where(table=table.table),
            then="restore the declaration, or load everything anew as a table of another name",
        )
