"""The feeds there are, by the name that a source declares."""

from __future__ import annotations

from ledgerlake.feeds.base import Feed
from ledgerlake.feeds.dms import DmsFeed
from ledgerlake.feeds.event_export import EventExportFeed
from ledgerlake.feeds.postgres_slot import PostgresSlotFeed
from ledgerlake.feeds.query import QueryFeed
from ledgerlake.feeds.stripe import StripeFeed
from ledgerlake.feeds.wal2json import Wal2JsonFeed

FEEDS: dict[str, Feed] = {
    feed.kind: feed
    for feed in (DmsFeed(), EventExportFeed(), PostgresSlotFeed(), QueryFeed(), StripeFeed(), Wal2JsonFeed())
}
