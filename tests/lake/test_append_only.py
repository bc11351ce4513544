"""Tables whose keys are written once: duplicates are told from contradictions, and nothing is ever rewritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from house import House, cdc, counts, lines, rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.load import load_pipeline
from ledgerlake.core.append_only import absorb
from ledgerlake.core.change import Change, Op
from ledgerlake.ops.replay import compare
from ledgerlake.testing.event_export import avro
from pyspark.sql import SparkSession

PIPELINE = """
pipeline: bank
sources:
  topics: {feed: event_export, location: topics, options: {format: any}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
EVENTS = """
table: events
source: topics
resource: events
key: [id]
append_only: true
columns:
  - {name: id, type: string, nullable: false}
  - {name: said, type: string}
"""
OPS = EVENTS.replace(
    "append_only", "feed: {op_field: op, ops: {put: upsert, drop: delete, clear: truncate}}\nappend_only"
)
AGAIN = "immutable: another content for a key that is already written"
TWO = "immutable: two contents for one key in one delivery"


def event(id_: str, said: str = "x", **more: str) -> dict[str, str]:
    return {"id": id_, "said": said, **more}


@pytest.fixture
def log(house: House) -> House:
    return house.declare(PIPELINE, EVENTS)


def deliver(log: House, name: str, *events: dict[str, str]) -> dict[str, int]:
    return counts(log.deliver(f"topics/events/{name}.json", lines(*events)).load()[0])


def actions(log: House) -> list[dict[str, Any]]:
    """Return every action of silver's Delta log, in order."""
    folder = Path(log.workspace().paths.silver("events")) / "_delta_log"
    return [json.loads(line) for file in sorted(folder.glob("*.json")) for line in file.read_text().splitlines()]


def test_the_same_event_from_another_service_partition_and_delivery_is_a_duplicate(log: House) -> None:
    assert deliver(log, "a+0+0", event("1"), event("2"), event("1")) == {"read": 3, "applied": 2, "duplicate": 1}
    assert deliver(log, "b+7+900", event("2"), event("3")) == {"read": 2, "applied": 1, "duplicate": 1}

    log.deliver("topics/events/c+0+5.avro", avro(event("1"), event("3"), event("4")))
    assert counts(log.load()[0]) == {"read": 3, "applied": 1, "duplicate": 2}
    assert rows_of(log.silver("events")) == [("1", "x"), ("2", "x"), ("3", "x"), ("4", "x")]
    assert compare(log.workspace(), "events").equal


def test_of_equal_events_in_one_batch_the_one_that_was_exported_first_is_kept(log: House) -> None:
    for hour, name in ((12, "a+0+0"), (10, "b+1+9"), (11, "c+0+3")):
        file = (
            log.deliver(f"topics/events/{name}.json", lines(event("1", n=name))).root
            / f"sources/topics/events/{name}.json"
        )
        os.utime(file, (hour * 3600, hour * 3600))

    assert counts(log.load()[0]) == {"read": 3, "applied": 1, "duplicate": 2}
    kept = log.spark.read.format("delta").load(log.workspace().paths.silver("events"))
    assert rows_of(kept.selectExpr("_extracted_at", "_object LIKE '%b_1_9.json'")) == [("1970-01-01 10:00:00", True)]


def test_another_content_for_a_written_key_is_quarantined_and_the_first_stands(log: House) -> None:
    deliver(log, "a+0+0", event("1"))

    assert deliver(log, "a+0+1", event("1", "y"), event("2")) == {"read": 2, "applied": 1, "quarantined": 1}
    assert log.reasons() == [AGAIN]
    assert json.loads(log.quarantine()[0]["raw"]) == {"id": "1", "said": "y"}
    assert rows_of(log.silver("events")) == [("1", "x"), ("2", "x")]


def test_two_contents_in_one_delivery_are_both_quarantined(log: House) -> None:
    found = deliver(log, "a+0+0", event("1"), event("1", "y"), event("2"))

    assert found == {"read": 3, "applied": 1, "quarantined": 2}
    assert log.reasons() == [TWO, TWO]
    assert [json.loads(r["raw"])["said"] for r in log.quarantine()] in (["x", "y"], ["y", "x"])


def test_of_two_contents_in_one_delivery_the_one_that_stands_is_its_duplicate(log: House) -> None:
    deliver(log, "a+0+0", event("1"))

    found = deliver(log, "a+0+1", event("1", "y"), event("1"), event("1", "y"))

    assert found == {"read": 3, "duplicate": 1, "quarantined": 2}
    assert log.reasons() == [AGAIN, AGAIN]


def test_deletes_and_truncates_are_quarantined(house: House) -> None:
    house.declare(PIPELINE.replace("any", "json"), OPS)
    deliver(house, "a+0+0", event("1", op="put"))

    found = deliver(house, "a+0+1", event("1", op="drop"), {"op": "clear"}, event("2", op="put"))

    assert found == {"read": 3, "applied": 1, "quarantined": 2}
    kept = "of a table whose keys are written once"
    assert house.reasons() == [f"immutable: a delete {kept}", f"immutable: a truncate {kept}"]
    assert rows_of(house.silver("events")) == [("1", "x"), ("2", "x")]


@pytest.mark.parametrize("rows_max", [1000, 0], ids=["delta-rs", "Spark"])
def test_no_file_of_an_earlier_version_is_ever_rewritten(log: House, rows_max: int) -> None:
    log.embedded_rows_max = rows_max
    deliver(log, "a+0+0", event("1"), event("3"))
    deliver(log, "a+0+2", event("2"), event("1", "y"), event("3"))

    kinds = [kind for action in actions(log) for kind in action]
    assert kinds.count("add") == 2
    assert "remove" not in kinds
    configured = [a["metaData"]["configuration"] for a in actions(log) if "metaData" in a]
    assert configured[-1]["delta.appendOnly"] == "true"


@pytest.mark.parametrize("statement", ["UPDATE {} SET said = 'z'", "DELETE FROM {} WHERE id = '1'"])
def test_the_engine_itself_refuses_to_change_what_is_written(log: House, spark: SparkSession, statement: str) -> None:
    deliver(log, "a+0+0", event("1"))

    with pytest.raises(Exception, match=r"(?i)append.?only"):
        spark.sql(statement.format(f"delta.`{log.workspace().paths.silver('events')}`"))


@pytest.mark.parametrize(
    "option", ["keys_can_change: true", "snapshot: {complete: true}", "history: {}", "changes: partial"]
)
def test_options_that_let_keys_change_are_refused_with_file_and_line(tmp_path: Path, option: str) -> None:
    folder = tmp_path / "conf" / "pipelines" / "bank"
    (folder / "tables").mkdir(parents=True)
    (folder / "pipeline.yml").write_text(PIPELINE.replace("any", "json"))
    (folder / "tables" / "events.yml").write_text(EVENTS.lstrip() + option + "\n")

    found = [str(f) for f in check_pipeline(load_pipeline(tmp_path / "conf", tmp_path, "bank"))]

    name = option.split(":")[0]
    assert any(f"`append_only` and `{name}` contradict" in f and "events.yml:9" in f for f in found), found


CHANGES = st.lists(st.tuples(st.sampled_from("1234"), st.sampled_from(["x", "x", "x", "y"])), min_size=1, max_size=8)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=st.lists(CHANGES, min_size=1, max_size=3))
def test_batches_end_as_the_definition_says(
    houses: Callable[[str], House], batches: list[list[tuple[str, str]]]
) -> None:
    log = houses(f"h{hash(str(batches))}").declare(PIPELINE, EVENTS)
    standing: dict[tuple[str, ...], Any] = {}
    for number, batch in enumerate(batches):
        meant = absorb(standing, [Change((k,), Op.UPSERT, "", {"id": k, "said": s}) for k, s in batch])
        standing |= meant.written

        # The number of the batch stands in an ignored field: equal batches must not be equal objects.
        found = deliver(log, f"a+0+{number}", *(event(k, s, n=str(number)) for k, s in batch))

        expected = {
            "read": len(batch),
            "applied": len(meant.written),
            "duplicate": meant.duplicates,
            "quarantined": meant.refused,
        }
        assert found == {n: v for n, v in expected.items() if v}
    assert rows_of(log.silver("events")) == sorted((k[0], row["said"]) for k, row in standing.items())


def test_cdc_deletes_of_an_append_only_table_are_quarantined_too(house: House) -> None:
    from house import ACCOUNTS, SOURCES

    house.declare(SOURCES, ACCOUNTS.replace("key:", "append_only: true\nkey:"))
    house.deliver("db/public/accounts/20260301-100000000.csv", cdc("I,a,Ann,EUR,1.000,1", "I,b,Bob,EUR,2.000,2"))
    house.load()
    house.deliver("db/public/accounts/20260301-110000000.csv", cdc("U,a,Ann,EUR,5.000,3", "D,b,Bob,EUR,2.000,4"))

    assert counts(house.load()[0]) == {"read": 2, "quarantined": 2}
    assert house.reasons() == ["immutable: a delete of a table whose keys are written once", AGAIN]
