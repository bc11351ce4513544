"""The Stripe API: events tell what changed, the objects themselves are fetched and are the truth.

Stripe's objects carry no version. A fetched object is the state at the moment of the fetch, so
that moment is its position. Source: Stripe API reference, "Pagination", "Events" (30 days).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledgerlake.config.models import Source, Table
from ledgerlake.errors import ConfigError
from ledgerlake.feeds.base import Extraction, Feed, Options, Reading
from ledgerlake.feeds.files import landing_path, write_manifest
from ledgerlake.feeds.frames import contract_values, json_records, lines_of
from ledgerlake.landing.manifest import LandedObject, Manifest
from ledgerlake.ports.objects import content_hash

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class StripeSource(Options):
    """How the account is read."""

    stripe_version: str
    look_back_days: int = 3
    page_size: int = 100
    max_network_retries: int = 4


class StripeFeed(Feed):
    """Pulls objects from the Stripe API and reads them back from landing."""

    kind = "stripe"
    source_options = StripeSource
    tables_together = True  # one cursor for all resources

    def check(self, source: Source, table: Table) -> None:
        """Check that a connection is declared."""
        if source.connection is None:
            raise ValueError("a stripe source needs `connection:`")

    def pending(self, request: Extraction) -> dict[str, int]:
        """One pull for each table whose day has not been landed yet."""
        return {t.table: int(not request.logs[t.table].covers(request.logical_date)) for t in request.tables}

    def extract(self, request: Extraction) -> list[Manifest]:
        """Pull up to the window's end, once per logical date; the cursor stands in the manifest."""
        if not any(self.pending(request).values()):
            return []
        from ledgerlake.feeds.stripe_extract import StripeExtractor, StripeOptions

        options = StripeSource(**request.source.options)
        settings = StripeOptions(resources=tuple(t.resource for t in request.tables), **options.model_dump())
        extractor = StripeExtractor(_client(request, options), settings, request.clock)
        # All resources share one cursor; it stands in the manifest of the first table.
        cursor = request.logs[request.tables[0].table].latest_cursor()
        found, after = extractor.extract(cursor, request.window_end)
        return [
            _land(request, t, [o for o in found if o.resource == t.resource], after if n == 0 else {})
            for n, t in reversed(list(enumerate(request.tables)))
        ]

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Parse each line ``{fetched_at, object}`` once."""
        table = reading.table
        lines = lines_of(spark, reading.lake_uri, [i.path for i in reading.objects])
        parsed = json_records(lines, ["fetched_at", *(f"object.{c.source_name}" for c in table.columns)])
        return parsed.selectExpr(
            "_object", "_ordinal", "'upsert' AS _op",
            "concat(j.fetched_at, '|', lpad(_ordinal, 12, '0')) AS _position",
            "CASE WHEN j IS NULL THEN 'not a JSON object' END AS _problem",
            "value AS _raw", "CAST(NULL AS ARRAY<STRING>) AS _carried", *contract_values(table, "j", "object."),
        )  # fmt: skip


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
