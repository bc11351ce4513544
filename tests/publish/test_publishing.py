"""Publication as its callers and readers see it, over the real connector and a real server."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import COLUMNS, NOON, Warehouse
from ledgerlake.errors import PublishError
from ledgerlake.publish import PublishedColumn

FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)
JANUARY = [
    ("a", FIRST, Decimal("1.10"), 1),
    ("b", FIRST, Decimal("-0.20"), None),
    ("c", SECOND, None, 3),
]
DAYS = ("2026-01-01", "2026-01-02")


def test_readers_get_the_rows_and_the_ledger_says_where_they_came_from(
    warehouse: Warehouse,
) -> None:
    publication = warehouse.publication(warehouse.slice(JANUARY, *DAYS))

    outcome = warehouse.publisher().publish(publication)

    assert (outcome.status, dict(outcome.rows_by_table)) == ("published", {"invoices": 3})
    assert list(outcome.seconds) == ["lookup", "prepare", "stage", "verify", "commit", "drop"]
    assert warehouse.invoices() == [("a", Decimal("1.10")), ("b", Decimal("-0.20")), ("c", None)]
    (row,) = warehouse.publisher().published("billing")
    assert (row.publication_id, row.published_at) == (
        publication.publication_id,
        NOON + timedelta(minutes=1),
    )
    assert (row.logical_date, row.delta_versions) == (date(2026, 3, 1), '{"invoices": 7}')
    assert row.tables == '{"invoices": {"partitions": ["2026-01-01", "2026-01-02"], "rows": 3}}'
    assert warehouse.leftovers() == []


def test_a_repeated_publication_does_nothing(warehouse: Warehouse) -> None:
    publication = warehouse.publication(warehouse.slice(JANUARY, *DAYS))
    warehouse.publisher().publish(publication)

    outcome = warehouse.publisher().publish(publication)

    assert outcome.status == "already_published"
    assert len(warehouse.invoices()) == 3
    assert len(warehouse.publisher().published("billing")) == 1


def test_only_the_named_partitions_are_replaced(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY, *DAYS)))

    warehouse.publisher().publish(
        warehouse.publication(warehouse.slice([("z", SECOND, Decimal("9.00"), 9)], "2026-01-02"))
    )

    assert [row[0] for row in warehouse.invoices()] == ["a", "b", "z"]
    assert [row.publication_id for row in warehouse.publisher().published("billing")] == sorted(
        (row.publication_id for row in warehouse.publisher().published("billing")), reverse=True
    )


def test_a_partition_that_became_empty_is_emptied(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY, *DAYS)))

    warehouse.publisher().publish(warehouse.publication(warehouse.slice([], "2026-01-01", files=())))

    assert [row[0] for row in warehouse.invoices()] == ["c"]


def test_a_table_without_partitions_is_replaced_whole(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY)))

    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY[:1])))

    assert warehouse.invoices() == [("a", Decimal("1.10"))]


def test_a_publication_without_slices_is_recorded(warehouse: Warehouse) -> None:
    assert warehouse.publisher().published("billing") == []

    warehouse.publisher().publish(warehouse.publication())

    assert [row.tables for row in warehouse.publisher().published("billing")] == ["{}"]


def test_an_added_column_is_null_in_older_rows_and_shows_in_the_view(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY, *DAYS)))
    wider = (*COLUMNS, PublishedColumn("fee", "decimal(9,4)"))

    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY[2:], "2026-01-02", columns=wider)))

    assert warehouse.read("SELECT INVOICE_ID, FEE FROM {bi}.INVOICES ORDER BY 1") == [
        ("a", None),
        ("b", None),
        ("c", None),
    ]


def test_a_column_of_another_type_is_refused(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY, *DAYS)))
    changed = (*COLUMNS[:2], PublishedColumn("amount", "decimal(18,4)"), COLUMNS[3])

    with pytest.raises(PublishError, match=r"NUMBER\(18,2\) in Snowflake but declared decimal\(18,4\)"):
        warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY, *DAYS, columns=changed)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expected_rows": 4}, "rows differ: the lake has 4, staging holds 3"),
        (
            {"control_totals": {"amount": Decimal("0.91")}},
            "control total differ: the lake has 0.91, staging holds 0.90",
        ),
        ({"key_hash": "1:2"}, "key hash differ: the lake has 1:2"),
        (
            {"partitions": ("2026-01-01",)},
            "rows outside the named partitions differ: the lake has 0, staging holds 1",
        ),
    ],
)
def test_what_staging_does_not_confirm_never_reaches_readers(
    warehouse: Warehouse, change: dict[str, object], message: str
) -> None:
    before = [("old", FIRST, Decimal("5.00"), 5)]
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(before, *DAYS)))

    with pytest.raises(PublishError, match=message) as caught:
        warehouse.publisher().publish(warehouse.publication(warehouse.slice(JANUARY, *DAYS, **change)))

    assert "table invoices" in str(caught.value)
    assert [row[0] for row in warehouse.invoices()] == ["old"]
    assert warehouse.leftovers() == []


def test_a_large_total_is_compared_to_the_last_cent(warehouse: Warehouse) -> None:
    large = Decimal("9999999999999999.99")
    rows = [("a", FIRST, large, 1), ("b", FIRST, large, 2), ("c", FIRST, Decimal("0.01"), 3)]

    outcome = warehouse.publisher().publish(warehouse.publication(warehouse.slice(rows, "2026-01-01")))

    assert outcome.status == "published"


def test_files_of_the_same_name_from_different_folders_are_all_loaded(warehouse: Warehouse) -> None:
    first, second = warehouse.slice(JANUARY[:2], *DAYS), warehouse.slice(JANUARY[2:], *DAYS)
    files = []
    for part in (first, second):
        folder = warehouse.folder / f"of {part.expected_rows}"
        folder.mkdir()
        files.append(part.files[0].rename(folder / "part-00000.parquet"))  # type: ignore[union-attr]
    whole = replace(warehouse.slice(JANUARY, *DAYS), files=tuple(files))

    warehouse.publisher().publish(warehouse.publication(whole))

    assert [row[0] for row in warehouse.invoices()] == ["a", "b", "c"]


def test_an_external_stage_is_read_where_it_is(warehouse: Warehouse) -> None:
    root = warehouse.folder.as_uri()
    warehouse.read("CREATE DATABASE IF NOT EXISTS {db}")
    warehouse.read("CREATE SCHEMA IF NOT EXISTS {db}.MART")
    warehouse.read(f"CREATE STAGE {{db}}.MART.LANDED URL = '{root}/'")
    stage = f"{warehouse.target.database}.mart.landed"
    warehouse.target = replace(warehouse.target, external_stage=stage, external_stage_url=root)
    part = warehouse.slice(JANUARY, *DAYS)
    decoy = warehouse.slice(JANUARY, *DAYS)  # lies in the stage too, and is not asked for
    named = replace(part, files=tuple(f"{root}/{Path(file).name}" for file in part.files))

    warehouse.publisher().publish(warehouse.publication(named))

    assert Path(decoy.files[0]).exists()
    assert [row[0] for row in warehouse.invoices()] == ["a", "b", "c"]
