"""Days of a streaming service: which are missing, one request for each, and how they are landed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError, TransientError, Where
from ledgerlake.feeds.decoding.records import record_of
from ledgerlake.feeds.http_stream.sse import Event, events
from ledgerlake.landing.manifest import ManifestLog
from ledgerlake.ports.http import Http, Request, Retries
from ledgerlake.ports.objects import ObjectStore

DAYS_MAX = 3660
_ALIVE = frozenset({"ping", "heartbeat", "keepalive", "keep-alive"})
_ENDS = frozenset({"done", "end", "complete"})
KeyOf = Callable[[str], tuple[str, ...] | None]


@dataclass(frozen=True, order=True)
class Asked:
    """One day to ask for, and which time this is, from 1; then what is asked: the type of day and its volume."""

    day: date
    fetch: int
    day_type: str = ""
    volume: int = 0

    @property
    def name(self) -> str:
        """Return the name under which the day is landed."""
        return f"{self.day.isoformat()}+{self.fetch:04d}.jsonl.gz"


def landed_days(log: ManifestLog) -> dict[date, int]:
    """Return day → how often it was landed."""
    found: dict[date, int] = {}
    for manifest in log.all():
        for item in manifest.objects:
            day = date.fromisoformat(item.source_name[:10])
            found[day] = found.get(day, 0) + 1
    return found


def newest_objects(log: ManifestLog) -> set[str]:
    """Return each day's last landing: a day that is asked for again is compared with it."""
    newest: dict[str, str] = {}
    items = [item for manifest in log.all() for item in manifest.objects]
    for item in items:
        day = item.source_name[:10]
        newest[day] = max(newest.get(day, ""), item.source_name)
    return {item.path for item in items if item.source_name in set(newest.values())}


def days_to_ask(landed: Mapping[date, int], first: date, last: date, resync: Mapping[date, int]) -> list[Asked]:
    """Return the missing days from ``first`` to ``last``, and landed ones up to it that are to be asked again."""
    every = [first + timedelta(days=n) for n in range(min((last - first).days + 1, DAYS_MAX))]
    missing = [Asked(day, 1) for day in every if day not in landed]
    again = [Asked(d, landed[d] + 1) for d, n in resync.items() if d <= last and 0 < landed.get(d, 0) < 1 + n]
    return sorted(missing + again)


@dataclass(frozen=True)
class Service:
    """One path of a service; ``minimum`` is None where it promises exactly the volume asked for."""

    http: Http
    retries: Retries
    url: str
    method: str
    token: str | None
    minimum: int | None
    end_event: str | None

    def day(self, fields: Mapping[str, Any], volume: int) -> list[str]:
        """Return a day's records as texts.

        Raises :class:`TransientError` where no attempt gave a whole day, :class:`SourceError`
        for an answer that is no stream or holds more than was asked for.
        """
        return self.retries.call(lambda: self._stream(fields, volume))

    def _stream(self, fields: Mapping[str, Any], volume: int) -> list[str]:
        ended, records = False, list[str]()
        for event in events(self.http.lines(self._request(fields))):
            if ended:
                raise SourceError("events after the end of the stream", where=Where(file=self.url))
            if self._is_end(event):
                ended = True
            elif event.kind == "message":
                records.append(_record(event, self.url))
            elif event.kind not in _ALIVE:
                raise _refusal(event, self.url)
            if len(records) > volume:
                raise SourceError(f"more than the {volume} records asked for", where=Where(file=self.url))
        least = volume if self.minimum is None else min(self.minimum, volume)
        if len(records) < least or (self.end_event and not ended):
            raise TransientError(
                f"{len(records)} of {'at least ' * (self.minimum is not None)}{least} records arrived, or no end of the stream",
                where=Where(file=self.url), then="run again; nothing of the day was landed",
            )  # fmt: skip
        return records

    def _is_end(self, event: Event) -> bool:
        return event.kind in {self.end_event or "done", *_ENDS} or event.data == "[DONE]"

    def _request(self, fields: Mapping[str, Any]) -> Request:
        headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        if self.method == "GET":
            return Request("GET", f"{self.url}?{urlencode(fields)}", headers)
        return Request("POST", self.url, headers | {"Content-Type": "application/json"}, json.dumps(fields).encode())


def _refusal(event: Event, url: str) -> SourceError | TransientError:
    if event.kind == "error":
        return TransientError("the stream reports an error", where=Where(file=url), then="run again later")
    return SourceError(f"an event of the unknown type {event.kind[:40]!r}", where=Where(file=url))


def _record(event: Event, url: str) -> str:
    text = event.data.replace("\n", " ")  # between values only: JSON strings hold no line breaks
    parsed = record_of(text.encode())
    if parsed is not None and "error" in parsed and len(parsed) <= 3:
        raise TransientError("the stream holds an error instead of a record", where=Where(file=url), then="run again")
    return text


def keys_of(table: Table) -> KeyOf:
    """Return what gives the key fields of a record's text; None where it has not all of them."""
    paths = [table.column(k).source_name.split(".") for k in table.key if table.column(k).source_name != "$day"]

    def key(text: str) -> tuple[str, ...] | None:
        values: list[str] = []
        for path in paths:
            value: Any = record_of(text.encode())
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            if value is None:
                return None
            values.append(str(value))
        return tuple(values)

    return key


def as_lines(asked: Asked, records: Sequence[str], before: Sequence[str], key_of: KeyOf) -> bytes:
    """Return a day as it is landed: each record's text untouched, then what an earlier answer had and this has not."""
    lines = [_line(asked, n, text) for n, text in enumerate(records)]
    if before:
        kept = {key_of(text) for text in records}
        gone = [text for text in before if key_of(text) not in kept | {None}]
        lines += [_line(asked, len(records) + n, text, ', "gone": true') for n, text in enumerate(gone)]
    return gzip.compress("".join(lines).encode(), compresslevel=6, mtime=0)


def _line(asked: Asked, ordinal: int, text: str, mark: str = "") -> str:
    day = f'"day": "{asked.day.isoformat()}", "day_type": "{asked.day_type}", "volume": {asked.volume}'
    head = f'{{{day}, "fetch": {asked.fetch}, "ordinal": {ordinal}{mark}'
    if record_of(text.encode()) is None:
        return f'{head}, "malformed": {json.dumps(text)}}}\n'
    return f'{head}, "record": {text}}}\n'


def previous_lines(lake: ObjectStore, log: ManifestLog, asked: Asked) -> list[str]:
    """Return the records' texts of the day's last landing; empty where this is the first."""
    name = Asked(asked.day, asked.fetch - 1).name
    paths = [o.path for m in log.all() for o in m.objects if o.source_name == name]
    return [text for path in paths for text in _texts(gzip.decompress(lake.read(path)).decode())]


def _texts(body: str) -> Iterator[str]:
    mark = ', "record": '
    for line in body.split("\n"):  # not splitlines: texts may hold other line separators
        head, found, text = line.partition(mark)
        if found and '"gone": true' not in head and '"malformed"' not in head:
            yield text[:-1]
