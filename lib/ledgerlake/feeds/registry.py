"""The feeds there are, by the name that a source declares."""

from __future__ import annotations

from ledgerlake.feeds.base import Feed
from ledgerlake.feeds.csv_files import CsvFeed
from ledgerlake.feeds.debezium.feed import DebeziumFeed
from ledgerlake.feeds.dms.feed import DmsFeed
from ledgerlake.feeds.dump import DumpFeed
from ledgerlake.feeds.event_export.feed import EventExportFeed
from ledgerlake.feeds.http_stream.feed import HttpStreamFeed
from ledgerlake.feeds.postgres.slot import PostgresSlotFeed
from ledgerlake.feeds.postgres.wal2json import Wal2JsonFeed
from ledgerlake.feeds.query.feed import QueryFeed
from ledgerlake.feeds.salesforce.feed import SalesforceFeed
from ledgerlake.feeds.stripe.feed import StripeFeed

FEEDS: dict[str, Feed] = {
    feed.kind: feed
    for feed in (
        CsvFeed(),
        DebeziumFeed(),
        DmsFeed(),
        DumpFeed(),
        EventExportFeed(),
        HttpStreamFeed(),
        PostgresSlotFeed(),
        QueryFeed(),
        SalesforceFeed(),
        StripeFeed(),
        Wal2JsonFeed(),
    )
}
