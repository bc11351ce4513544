"""The Stripe API: events tell what changed, the objects themselves are fetched and are the truth.

Stripe's objects carry no version. A fetched object is the state at the moment of the fetch, so
that moment is its position. Source: Stripe API reference, "Pagination", "Events" (30 days).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.errors import ConfigError, NotFoundError
from ledgerlake.feeds.base import Extraction, Feed, Options, Reading
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.landed import landing_path, write_manifest
from ledgerlake.feeds.stripe.fetched import FetchedObjects
from ledgerlake.landing.manifest import LandedObject, Manifest
from ledgerlake.ports.objects import content_hash
from ledgerlake.sql.relation import Relation

NEVER = datetime.min.replace(tzinfo=UTC).isoformat()
"""When everything was fetched by a version that did not write it down."""


class StripeSource(Options):
    """How the account is read; a new word in ``resync`` loads everything anew, once.

    ``look_back_days`` must be longer than changes go untold: balance transactions have no
    events, so it covers the days until they become available.
    """

    stripe_version: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")
    look_back_days: int = Field(default=3, ge=0)
    page_size: int = Field(default=100, ge=1, le=100)
    max_network_retries: int = Field(default=4, ge=0)
    resync: str | None = None


class StripeFeed(Feed):
    """Pulls objects from the Stripe API and reads them back from landing."""

    kind = "stripe"
    source_options = StripeSource
    tables_together = True  # one cursor for all resources

    def check(self, source: Source, table: Table) -> None:
        """Check that a connection is declared, and that rows are told apart by Stripe's id."""
        if source.connection is None:
            raise ValueError("a stripe source needs `connection:`")
        if [table.column(k).source_name for k in table.key if k in table.column_names] != ["id"]:
            raise ValueError("the key must be one column with `source: id`: a deleted object has nothing else")
        if table.changes != "whole":
            raise ValueError("objects are whole rows: remove `changes: partial`")

    def pending(self, request: Extraction) -> dict[str, int]:
        """One pull for each table whose day has not been landed yet, or that is to be loaded anew."""
        due = _resync_due(request)
        return {t.table: int(due or not request.logs[t.table].covers(request.logical_date)) for t in request.tables}

    def extract(self, request: Extraction) -> list[Manifest]:
        """Pull up to the window's end, once per logical date; the cursor stands in the manifest."""
        if not any(self.pending(request).values()):
            return []
        from ledgerlake.feeds.stripe.extract import StripeExtractor, StripeOptions

        options, cursor = StripeSource(**request.source.options), _cursor(request)
        resources = tuple(t.resource for t in request.tables)
        settings = StripeOptions(resources=resources, **options.model_dump(exclude={"resync"}))
        extractor = StripeExtractor(_client(request, options), settings, request.clock)
        known = _deletable_ids(request) if _resync_due(request) else None
        found, after = extractor.extract(cursor, request.window_end, known)
        after["resync"] = options.resync or cursor.get("resync")
        return [
            _land(request, t, [o for o in found if o.resource == t.resource], after if n == 0 else {})
            for n, t in reversed(list(enumerate(request.tables)))
        ]

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode the landed lines."""
        return decoded(engines, reading, FetchedObjects(reading.table))


def _cursor(request: Extraction) -> Mapping[str, Any]:
    """Return where the last pull ended: all tables share one cursor, which one manifest of each pull holds."""
    cursors = [m.cursor for t in request.tables for m in request.logs[t.table].all() if m.cursor]
    return max(cursors, key=lambda c: datetime.fromisoformat(c["fetched_at"]), default={})


def _resync_due(request: Extraction) -> bool:
    word, cursor = StripeSource(**request.source.options).resync, _cursor(request)
    return word is not None and bool(cursor) and cursor.get("resync") != word


def _deletable_ids(request: Extraction) -> dict[str, set[str]]:
    """Return the ids of objects that may have been deleted while nobody listened: visible ones, and landed ones."""
    from ledgerlake.feeds.stripe.extract import DELETABLE

    found = {}
    for table in (t for t in request.tables if t.resource in DELETABLE):
        keys = request.known_keys(table.table)
        visible = {row[0] for row in keys.collect()} if keys else set()
        found[table.resource] = visible | _landed_ids(request, table)
    return found


def _landed_ids(request: Extraction, table: Table) -> set[str]:
    """Return the ids that landed, not as deleted, since everything was last fetched.

    Rows that wait to be loaded or released are not visible yet, and nobody would ask for them again.
    """
    complete_at = datetime.fromisoformat(_cursor(request).get("complete_at") or NEVER)
    deleted: dict[str, bool] = {}
    for item in (o for m in request.logs[table.table].all() for o in m.objects if o.extracted_at >= complete_at):
        try:
            body = request.lake.read(item.path)
        except NotFoundError:
            continue  # retention removes only what was loaded: its rows are visible, or deleted
        for line in gzip.decompress(body).split(b"\n")[:-1]:
            thing = json.loads(line)["object"]
            deleted[thing["id"]] = bool(thing.get("deleted"))
    return {key for key, gone in deleted.items() if not gone}


def _client(request: Extraction, options: StripeSource) -> Any:
    import stripe

    declared = request.environment.connections.get(request.source.connection or "")
    if declared is None:
        raise ConfigError(
            f"the environment has no connection {request.source.connection!r}",
            then=f"add `connections: {{{request.source.connection}: {{api_key: env:…}}}}`",
        )
    base = declared.get("base_url")
    return stripe.StripeClient(
        request.secrets.resolve(declared["api_key"]),
        stripe_version=options.stripe_version,
        max_network_retries=options.max_network_retries,
        base_addresses={"api": request.secrets.resolve(base)} if base else {},
    )


def _land(request: Extraction, table: Table, found: list[Any], cursor: dict[str, Any]) -> Manifest:
    objects = []
    for item in found:
        digest = content_hash(item.body)
        path = landing_path(request.pipeline, table.table, digest, item.name)
        request.lake.write(path, item.body, if_absent=True)
        objects.append(LandedObject(path, item.name, digest, len(item.body), item.extracted_at))
    return write_manifest(request, table, objects, [], cursor)
