"""A topic may hold several tables' events: those of others are left out, one that names none is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from ledgerlake.config.models import Source, Table
from ledgerlake.errors import SourceError
from ledgerlake.feeds.event_export.feed import EventExportFeed
from ledgerlake.feeds.event_export.json import JsonEvents
from ledgerlake.landing.manifest import LandedObject

ITEM = LandedObject("landing/o", "t+0+7.json", "h", 1, datetime(2026, 3, 1, tzinfo=UTC))
COLUMNS = [{"name": "id", "type": "string", "nullable": False}, {"name": "city", "type": "string"}]


def table(**feed: object) -> Table:
    declared = {"table": "t", "source": "s", "resource": "t", "key": ["id"], "columns": COLUMNS, "feed": feed}
    return Table.model_validate(declared)


def test_events_of_other_tables_are_left_out_and_one_that_names_none_is_told() -> None:
    own = table(table_field="meta.type", table_names=["account", "account.v2"])
    names = ["account", "payment", "account.v2", None]
    lines = [json.dumps({"id": str(n), "city": "Bonn", "meta": {"type": name}}).encode() for n, name in enumerate(names)]

    changes = JsonEvents(own)(ITEM)(0, [*lines, b"no json"])

    assert list(changes.ordinals) == [0, 2, 3, 4]
    assert changes.problems == [None, None, "the field that names the table is missing", "not a JSON object"]
    assert changes.positions.to_pylist()[1] == "000000|00000000000000000009"  # type: ignore[union-attr]


def test_a_chunk_of_others_alone_gives_nothing() -> None:
    own = table(table_field="type", table_names=["account"])
    assert list(JsonEvents(own)(ITEM)(0, [b'{"type": "payment"}']).ordinals) == []


def test_a_field_without_names_is_refused() -> None:
    with pytest.raises(ValueError, match="go together"):
        EventExportFeed().check(Source(feed="event_export"), table(table_field="type"))


def test_a_field_that_no_event_has_is_not_taken_for_absent_where_another_spelling_is_there() -> None:
    with pytest.raises(SourceError, match="did you mean 'City'"):
        JsonEvents(table())(ITEM)(0, [b'{"id": "1", "City": "Bonn"}'])
