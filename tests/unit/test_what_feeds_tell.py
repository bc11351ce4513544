"""A table may declare of its changes only what its feed can tell; the rest would do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgerlake.feeds.registry import FEEDS
from test_config_errors import FILES, complaints, write

PARTIAL = {"debezium", "event_export", "postgres_slot", "salesforce_cdc", "wal2json"}
MOVING = {"debezium", "dms", "postgres_slot", "wal2json"}


def declared(tmp_path: Path, feed: str, line: str) -> list[str]:
    pipeline = FILES["pipeline.yml"].replace("feed: dms", f"feed: {feed}")
    table = FILES["tables/sales.yml"].replace("key: [sale_id]\n", f"key: [sale_id]\n{line}\n")
    found = complaints(write(tmp_path, FILES | {"pipeline.yml": pipeline, "tables/sales.yml": table}))
    return [f.what for f in found if f.where.line == 5 and "sales.yml" in str(f.where)]


def test_which_feeds_tell_partial_changes_and_changed_keys() -> None:
    assert {n for n, f in FEEDS.items() if f.tells_partial} == PARTIAL
    assert {n for n, f in FEEDS.items() if f.tells_key_changes} == MOVING


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_partial_changes_are_declared_only_where_the_feed_tells_them(tmp_path: Path, feed: str) -> None:
    said = declared(tmp_path, feed, "changes: partial")

    assert any("`changes: partial`" in what and "are whole" in what for what in said) == (feed not in PARTIAL)


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_changing_keys_are_declared_only_where_the_feed_tells_the_old_one(tmp_path: Path, feed: str) -> None:
    said = declared(tmp_path, feed, "keys_can_change: true")

    assert any("does not tell the old key" in what for what in said) == (feed not in MOVING)


@pytest.mark.parametrize("line", ["changes: partial", "keys_can_change: true"])
def test_rows_of_a_snapshot_are_whole_and_their_keys_do_not_change(tmp_path: Path, line: str) -> None:
    [said] = declared(tmp_path, "debezium", f"{line}\nsnapshot: {{complete: true}}")

    assert "snapshot" in said
