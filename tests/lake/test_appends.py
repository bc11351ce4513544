"""Appends of few rows by the native engine: a step lands once, whoever repeats it."""

from __future__ import annotations

from house import House
from ledgerlake.lake.appends import append
from ledgerlake.sql.relation import Relation

NOTE = {"batch_id": "b-1", "run_id": "run-1"}


def test_a_step_that_is_repeated_lands_once_and_another_step_lands_beside_it(bank: House) -> None:
    workspace, path = bank.workspace(), str(bank.root / "lake" / "log")
    rows = bank.spark.sql("SELECT 'a' AS id, 1 AS amount")
    rows.limit(0).write.format("delta").save(path)

    for step in ("b-1-bronze", "b-1-bronze", "b-2-bronze"):
        append(workspace, path, Relation.of("rows", rows, rows.columns), 1, step, NOTE)

    assert bank.spark.read.format("delta").load(path).count() == 2
