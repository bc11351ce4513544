"""Whose turn it is to publish, and whose a table is: both are decided inside the warehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from conftest import Warehouse
from ledgerlake.errors import LeaseLost, PublishError

DAY = date(2026, 1, 1)
FIRST, SECOND = [("a", DAY, Decimal("1.00"), 1)], [("b", DAY, Decimal("2.00"), 2)]


def test_a_publication_that_follows_another_than_is_served_changes_nothing(warehouse: Warehouse) -> None:
    """Two runs built on one publication: the one that comes second is told, whatever its lease says."""
    early, late = (warehouse.publication(warehouse.slice(rows)) for rows in (FIRST, SECOND))
    warehouse.publisher().publish(early)

    with pytest.raises(LeaseLost, match="another run published in the meantime"):
        warehouse.publisher(attempts=3).publish(late)

    assert [row[0] for row in warehouse.invoices()] == ["a"]
    assert [r.publication_id for r in warehouse.publisher().published("billing")] == [early.publication_id]


def test_a_run_that_must_not_commit_any_more_leaves_what_stands(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(FIRST)))
    asked: list[str] = []

    def lost() -> None:
        asked.append("held?")
        raise LeaseLost("the lease was lost")

    with pytest.raises(LeaseLost):
        warehouse.publisher(attempts=3).publish(warehouse.publication(warehouse.slice(SECOND)), lost)

    assert asked == ["held?"]  # nobody gives a lost turn back, so it is not tried again
    assert [row[0] for row in warehouse.invoices()] == ["a"]


def test_the_ledger_is_in_the_order_of_publications_whatever_the_clock_says(warehouse: Warehouse) -> None:
    first = warehouse.publication(warehouse.slice(FIRST))
    warehouse.publisher().publish(first)
    second = warehouse.publication(warehouse.slice(SECOND))
    warehouse.clock.moment = warehouse.clock.moment.replace(year=2020)
    warehouse.publisher().publish(second)

    newest = warehouse.publisher().newest("billing")

    assert newest is not None
    assert (newest.publication_id, newest.follows, newest.number) == (second.publication_id, first.publication_id, 2)


def test_a_table_belongs_to_the_pipeline_that_published_it_first(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(FIRST)))

    with pytest.raises(PublishError, match="the table belongs to the pipeline billing"):
        warehouse.publisher().publish(warehouse.publication(warehouse.slice(SECOND), pipeline="shop"))

    assert [row[0] for row in warehouse.invoices()] == ["a"]
    assert warehouse.leftovers() == []


def test_two_pipelines_share_a_schema_with_tables_of_their_own(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(FIRST)))
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(SECOND, table="credits"), pipeline="shop"))

    assert [r.number for p in ("billing", "shop") for r in warehouse.publisher().published(p)] == [1, 1]


def test_a_table_that_somebody_else_made_is_not_overwritten(warehouse: Warehouse) -> None:
    warehouse.read("CREATE DATABASE IF NOT EXISTS {db}")
    warehouse.read("CREATE SCHEMA IF NOT EXISTS {db}.MART")
    warehouse.read("CREATE TABLE {db}.MART.INVOICES (X VARCHAR)")

    with pytest.raises(PublishError, match="the table exists and no pipeline is recorded as its owner"):
        warehouse.publisher().publish(warehouse.publication(warehouse.slice(FIRST)))


@pytest.mark.parametrize("name", ["publication_ledger", "PUBLICATION_LOCKS", "publication_tables", "publication_stage_x"])
def test_no_table_may_be_called_like_one_of_our_own(warehouse: Warehouse, name: str) -> None:
    with pytest.raises(PublishError, match="belong to ledgerlake's own tables"):
        warehouse.publisher().publish(warehouse.publication(replace(warehouse.slice(FIRST), table=name)))
