"""Salesforce's events as raw changes, where the golden samples do not already say it: pure, without Spark."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.changes import changes_schema
from ledgerlake.feeds.salesforce.decoder import ANSWERED, FETCHED, ChangeEvents
from ledgerlake.feeds.salesforce.events import named
from ledgerlake.feeds.salesforce.values import time_of
from ledgerlake.landing.manifest import LandedObject

A, B = "0015f00002JUXAAAAP", "0015f00002JUXABAAP"
ORDER = ("ChangeEventHeader", "Name", {"BillingAddress": ("Street", "City")}, "Revenue")
TABLE = Table.model_validate({
    "table": "accounts", "source": "crm", "resource": "account", "key": ["id"], "changes": "partial",
    "feed": {"object": "Account"},
    "columns": [
        {"name": "name", "source": "Name", "type": "string"},
        {"name": "id", "source": "Id", "type": "string", "nullable": False},
        {"name": "city", "source": "BillingAddress.City", "type": "string"},
        {"name": "revenue", "source": "Revenue", "type": "decimal(18,2)"},
        {"name": "at", "source": "At", "type": "timestamp"},
    ],
})  # fmt: skip


def rows(*lines: Any, order: Any = (), layout: tuple[tuple[str, str], ...] = ()) -> list[dict[str, Any]]:
    """Return what lines (events, or their text) become, by a decoder that went to a worker and back."""
    item = LandedObject("landing/1.jsonl", "1.jsonl", "h", 1, datetime(2026, 3, 1, tzinfo=UTC), layout)
    decoder = pickle.loads(pickle.dumps(ChangeEvents(TABLE, "Account", order, shared=False)))
    text = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    found: list[dict[str, Any]] = decoder(item)(0, text).batch(item.path, changes_schema(TABLE)).to_pylist()
    return found


def header(kind: str = "UPDATE", *ids: Any, **more: Any) -> dict[str, Any]:
    told = {"entityName": "Account", "changeType": kind, "recordIds": [*ids] or [A]}
    return {"ChangeEventHeader": told | {"commitNumber": 5, "sequenceNumber": 1} | more}


def test_bitmaps_name_what_a_later_field_order_still_holds() -> None:
    assert set(named(["0x1E", "2-0xFE", "9-0x1"], ORDER)) == {
        "Name",
        "BillingAddress",
        "Revenue",
        "BillingAddress.City",
    }
    assert named(["0x0A", "Other"], ORDER) == ["Name", "Revenue"]
    assert named(["0x0A", "Other"], ()) == ["0x0A", "Other"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("1714156686120", "2024-04-26 18:38:06.12"),
        ("1714156685000", "2024-04-26 18:38:05"),
        ("-1", "1969-12-31 23:59:59.999"),
        ("2024-04-26T18:38:05.000Z", "2024-04-26T18:38:05.000Z"),
        ("99999999999999999999", "99999999999999999999"),
    ],
)
def test_milliseconds_are_told_as_a_time_and_all_else_as_it_is(given: str, says: str) -> None:
    assert time_of(given) == says


def test_numbers_keep_their_digits() -> None:
    line = json.dumps(header() | {"Revenue": "#", "At": 1714156685000}).encode()
    [row] = rows(line.replace(b'"#"', b"1234567890123456.10"))

    assert (row["revenue"], row["at"]) == ("1234567890123456.10", "2024-04-26 18:38:05")


def test_an_event_of_several_records_is_a_row_each_and_one_row_where_it_is_refused() -> None:
    event = header("UPDATE", A, B, changedFields=["Name", "BillingAddress.City"]) | {"Name": "Ann"}
    typed = event | {"Name": {"string": "Ann"}}
    found = rows(event, typed, header("DELETE", B), layout=((FETCHED, "2"), (ANSWERED, "…")))

    commit = f"{5:019d}|{1:010d}|000003|"
    assert [(r["_ordinal"], r["_op"], r["id"], r["_position"]) for r in found] == [
        (0, "patch", A, commit + "00000"), (0, "patch", B, commit + "00001"),
        (1, "patch", A, commit + "00000"), (2, "delete", B, commit + "00000"),
    ]  # fmt: skip
    assert [bool(r["_problem"]) for r in found] == [bool(r["_raw"]) for r in found] == [False, False, True, False]
    assert [r["_carried"] for r in found] == [["name", "city"]] * 3 + [None]


def test_fields_that_stand_at_several_places_are_one_event_the_outer_first() -> None:
    inner = header(changedFields=["Name", "Revenue"]) | {
        "Name": "inner",
        "Revenue": 5,
        "BillingAddress": {"City": "Ulm"},
    }
    [row] = rows({"data": {"payload": inner}, "Name": "outer", "BillingAddress": {"Street": "x"}})

    assert (row["name"], row["city"], row["revenue"]) == ("outer", "Ulm", "5")


@pytest.mark.parametrize("given", [None, 5, True, "x", [], {}, [None], [5], [{"a": 1}], ["0x"], [["Name"]]])
@pytest.mark.parametrize(
    "name", ["entityName", "changeType", "commitNumber", "sequenceNumber", "recordIds", "changedFields", "diffFields"]
)
def test_a_header_may_hold_anything(name: str, given: Any) -> None:
    [row] = rows(header(**{name: given}) | {"Name": "Ann"}, order=ORDER)

    assert row["_problem"] or row["_op"] == "patch"
