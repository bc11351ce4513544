"""Debezium change events of PostgreSQL and MySQL, dumped from Kafka as JSON lines.

Order comes from the record (see ``order``), so redelivery under another offset is a
duplicate. Source: Debezium's documentation of its PostgreSQL and MySQL connectors and of the
event flattening transformation; what was taken from it stands in docs/feeds/debezium.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.feeds import kafka_files
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.debezium.decoder import DebeziumLines
from ledgerlake.feeds.debezium.layout import verify_layout
from ledgerlake.feeds.debezium.options import DebeziumSource, DebeziumTable, check_options
from ledgerlake.feeds.decoding.frame import decoded
from ledgerlake.feeds.files import FileFeed, Probe
from ledgerlake.landing.manifest import Layout
from ledgerlake.sql.relation import Relation


class DebeziumFeed(FileFeed):
    """Reads what a Debezium connector wrote to a table's topic."""

    kind = "debezium"
    tells_partial = True
    tells_key_changes = True
    source_options = DebeziumSource
    table_options = DebeziumTable

    def check(self, source: Source, table: Table) -> None:
        """Check that options agree with each other and with the table's columns."""
        check_options(DebeziumSource(**source.options), table)

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a ``dt=`` folder tells the day."""
        return kafka_files.file_date

    def probe(self, source: Source, table: Table) -> Probe:
        """Refuse names outside the layout, what is not JSON lines, and messages laid out otherwise."""
        options = DebeziumSource(**source.options)

        def probe(name: str, body: bytes) -> Layout:
            layout = kafka_files.probe(name, body, options.limits)
            verify_layout(name, body, options, table)
            return layout

        return probe

    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Decode each line once; what is not understood is a problem, not an error."""
        partitions = {kafka_files.file_partition(i.source_name) for i in reading.objects}
        source = DebeziumSource(**reading.source_options)
        return decoded(engines, reading, DebeziumLines(reading.table, source, len(partitions)))
