"""The feeds there are, by the name that a source declares."""

from __future__ import annotations

from ledgerlake.feeds.base import Feed
from ledgerlake.feeds.csv_files import CsvFeed
from ledgerlake.feeds.debezium import DebeziumFeed
from ledgerlake.feeds.dms import DmsFeed
from ledgerlake.feeds.dump import DumpFeed
from ledgerlake.feeds.event_export import EventExportFeed
from ledgerlake.feeds.http_stream import HttpStreamFeed
from ledgerlake.feeds.postgres_slot import PostgresSlotFeed
from ledgerlake.feeds.query import QueryFeed
from ledgerlake.feeds.salesforce_cdc import SalesforceFeed
from ledgerlake.feeds.stripe import StripeFeed
from ledgerlake.feeds.wal2json import Wal2JsonFeed

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
