"""A service that answers one request a day with a stream of server-sent events.

A day is the unit: it is landed whole or not at all, as gzipped JSON lines
``{"day", "day_type", "volume", "fetch", "ordinal", "record"}`` in which ``record`` is the text that was received.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Literal

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.errors import ConfigError, TransientError
from ledgerlake.feeds.base import Extraction, Feed, Options, Reading
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.http_stream.days import (
    Asked,
    Service,
    as_lines,
    days_to_ask,
    keys_of,
    landed_days,
    newest_objects,
    previous_lines,
)
from ledgerlake.feeds.http_stream.records import StreamedRecords
from ledgerlake.feeds.http_stream.volumes import Volumes
from ledgerlake.feeds.landed import landing_path, write_manifest
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog
from ledgerlake.ports.http import Retries
from ledgerlake.ports.objects import content_hash
from ledgerlake.sql.relation import Relation

_BODIES: dict[str, dict[str, Any]] = {
    "max_records": {
        "max_records": "{volume}", "start_date": "{day}", "end_date": "{day}", "base_daily_volume": "{volume}",
        "rate_per_second": "{rate}", "seed": "{seed}",
    },
    "total_records": {"total_records": "{volume}", "rate_per_second": "{rate}", "seed": "{seed}"},
}  # fmt: skip


class HttpStreamSource(Options):
    """How a day is asked for.

    ``api`` chooses the request's usual fields, ``body`` adds to them or replaces them; texts
    ``{day}``, ``{volume}``, ``{rate}`` and ``{seed}`` stand for the day's values. ``records``
    says what the service promises: exactly the volume (usual for ``total_records``), or at
    least ``minimum`` records and at most the volume (usual for ``max_records``).
    ``end_event`` names the event that ends every whole stream. With ``from_day`` a run asks
    for every missing day since then, else for its logical date only.
    """

    method: Literal["POST", "GET"] = "POST"
    api: Literal["max_records", "total_records"] = "max_records"
    body: dict[str, Any] = Field(default_factory=dict)
    volume: Volumes
    seed: int = 0
    rate_per_second: int = Field(default=1000, gt=0)
    records: Literal["exactly", "at_most"] | None = None
    minimum: int = Field(default=1, ge=1)
    end_event: str | None = None
    from_day: date | None = None
    attempts: int = Field(default=5, ge=1, le=10)

    @property
    def least(self) -> int | None:
        """Return how many records a whole day has at least; None where exactly its volume is promised."""
        promised = self.records or ("exactly" if self.api == "total_records" else "at_most")
        return None if promised == "exactly" else self.minimum


class HttpStreamTable(Options):
    """Per table: how records are told apart.

    ``ids_unique_across_days``: the key needs no ``$day``. ``updates``: a later record of a key
    in one stream replaces an earlier one, instead of contradicting it. ``day_field`` is a time
    that must lie in the day. ``resync`` maps a day to how often it is to be asked for again.
    """

    ids_unique_across_days: bool = False
    updates: bool = False
    day_field: str | None = None
    resync: dict[date, int] = Field(default_factory=dict)


class HttpStreamFeed(Feed):
    """Asks for days and reads them back from landing; ``resource`` is the path of the service."""

    kind = "http_stream"
    source_options = HttpStreamSource
    table_options = HttpStreamTable

    def check(self, source: Source, table: Table) -> None:
        """Check that a connection and a calendar exist, and that keys of two days cannot meet."""
        options, own = HttpStreamSource(**source.options), HttpStreamTable(**table.feed)
        if source.connection is None:
            raise ValueError("an http_stream source needs `connection:`")
        sources = {table.column(k).source_name for k in table.key if k in table.column_names}
        if not own.ids_unique_across_days and "$day" not in sources:
            raise ValueError("ids start again each day: add a key column with `source: $day`")
        if table.changes != "whole":
            raise ValueError("records are whole rows: remove `changes: partial`")
        try:
            options.volume.kind_of(date(2026, 1, 1))
        except ConfigError as error:
            raise ValueError(f"{error.what}: {error.then}") from None

    def pending(self, request: Extraction) -> dict[str, int]:
        """Count the days that are missing, or are to be asked for again."""
        return {t.table: len(_asked(request, t)) for t in request.tables}

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land each missing day; a day that fails ends the extraction, the days before it stay landed."""
        return [m for t in request.tables if (m := _extract_table(request, t))]

    def reread(self, log: ManifestLog) -> set[str]:
        """Keep each day's last landing: what a later answer lacks is found by comparison with it."""
        return newest_objects(log)

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode the landed lines."""
        own = HttpStreamTable(**reading.table.feed)
        return decoded(engines, reading, StreamedRecords(reading.table, own.updates, own.day_field))


def _asked(request: Extraction, table: Table) -> list[Asked]:
    options, own = HttpStreamSource(**request.source.options), HttpStreamTable(**table.feed)
    landed = landed_days(request.logs[table.table])
    return days_to_ask(landed, options.from_day or request.first_day, request.logical_date, own.resync)


def _extract_table(request: Extraction, table: Table) -> Manifest | None:
    objects: list[LandedObject] = []
    failed: TransientError | None = None
    service = _service(request, table)
    for asked in _asked(request, table):
        try:
            objects.append(_land(request, table, service, asked))
        except TransientError as error:
            failed = error
            break
    manifest = write_manifest(request, table, objects, [], {}) if objects else None
    if failed:
        raise failed
    return manifest


def _land(request: Extraction, table: Table, service: Service, asked: Asked) -> LandedObject:
    options = HttpStreamSource(**request.source.options)
    volume = options.volume.of(asked.day, options.seed)
    asked = replace(asked, day_type=options.volume.kind_of(asked.day), volume=volume)
    given = {"day": asked.day.isoformat(), "volume": volume, "rate": options.rate_per_second, "seed": options.seed}
    records = service.day(_filled(_BODIES[options.api] | options.body, given), volume)
    before = previous_lines(request.lake, request.logs[table.table], asked)
    body = as_lines(asked, records, before, keys_of(table))
    digest = content_hash(body)
    path = landing_path(request.pipeline, table.table, digest, asked.name)
    request.lake.write(path, body, if_absent=True)
    return LandedObject(path, asked.name, digest, len(body), request.clock.now())


def _service(request: Extraction, table: Table) -> Service:
    options, name = HttpStreamSource(**request.source.options), request.source.connection
    declared = request.environment.connections.get(name or "")
    if declared is None or "base_url" not in declared:
        raise ConfigError(
            f"the environment has no connection {name!r} with base_url",
            then=f"add `connections: {{{name}: {{base_url: https://…}}}}`",
        )
    base = request.secrets.resolve(declared["base_url"]).rstrip("/")
    token = request.secrets.resolve(declared["token"]) if "token" in declared else None
    return Service(
        request.http, Retries(options.attempts), f"{base}/{table.resource.lstrip('/')}", options.method, token,
        options.least, options.end_event,
    )  # fmt: skip


def _filled(template: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the request's fields with the day's values; a field that is one value keeps its type."""
    whole = {"{" + name + "}": value for name, value in given.items()}
    return {k: whole.get(v, _text(v, whole)) if isinstance(v, str) else v for k, v in template.items()}


def _text(value: str, whole: dict[str, Any]) -> str:
    for mark, given in whole.items():
        value = value.replace(mark, str(given))
    return value
