"""wal2json files as the plugin writes them, edge case by edge case, loaded from YAML and files alone."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from house import House, rows_of
from ledgerlake.errors import SourceError
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.postgres.wal2json import Wal2JsonFeed
from ledgerlake.feeds.postgres.wal2json_probe import probe
from ledgerlake.testing.samples import Hostile
from ledgerlake.testing.wal2json import HOSTILE, INSERT, body, pairs, row, transaction

PIPELINE = """
pipeline: bank
sources:
  wal:
    feed: wal2json
    location: wal
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: wal
resource: public.people
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
NOTES = """
table: notes
source: wal
resource: public.notes
key: [id]
changes: partial
keys_can_change: true
columns:
  - {name: id, type: bigint, nullable: false}
  - {name: title, type: string}
  - {name: body, type: string, source: long_body}
  - {name: price, type: "decimal(30,10)"}
  - {name: paid, type: boolean}
  - {name: at, type: timestamp}
"""
BIG = "x" * 3000
NOONISH = "2026-03-01 12:00:00.123456+00"


def typed(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "value": value}


def note(id_: int, **values: Any) -> list[dict[str, Any]]:
    kinds = {"title": "text", "long_body": "text", "paid": "boolean", "at": "timestamp with time zone"}
    return [typed("id", "integer", id_), *(typed(n, kinds[n], v) for n, v in values.items())]


def of_notes(action: str, columns: Any = None, identity: Any = None) -> dict[str, Any]:
    return row(action, columns, identity, table="notes")


def at(id_: int) -> list[dict[str, Any]]:
    return [typed("id", "integer", id_)]


EXACT = (
    '{"action":"I","schema":"public","table":"notes","columns":[{"name":"id","type":"bigint","value":9007199254740993},'
    '{"name":"price","type":"numeric(30,10)","value":12345678901234567890.1234567891},'
    '{"name":"title","type":"text","value":"\\"value\\":1.50, and {\\"value\\": 7}"}]}'
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, spark: Any) -> House:
    """One delivery of two tables: many transactions, each an edge case of its own key."""
    from house import NOON
    from ledgerlake.ports.clock import FixedClock

    house = House(tmp_path_factory.mktemp("wal"), spark, FixedClock(NOON)).declare(PIPELINE, PEOPLE, NOTES)
    cases = [
        [of_notes("I", note(1, title="one", long_body=BIG, paid=True, at=NOONISH))],
        [of_notes("U", note(1, title="uno", paid=None, at=NOONISH), at(1))],  # the large body is left out
        [of_notes("I", note(2, title="two", long_body="b"))],
        [
            of_notes(
                "U",
                [*note(3, title="moved", long_body="b", paid=False, at=None), typed("price", "numeric", None)],
                at(2),
            )
        ],
        [of_notes("I", note(4, title="four", long_body="d")), of_notes("D", identity=at(4))],
        [of_notes("I", note(5, title="five", long_body=BIG))],
        [of_notes("U", note(6, title="five moved"), at(5))],  # key change without the body: no base for 6
        [INSERT, row("U", pairs(id="a", owner="Ann", city=None), pairs(id="a"))],
        [row("I", pairs(id="f", owner="Full", city="Rome"))],
        [row("U", pairs(id="f", owner="Fay"), pairs(id="f", owner="Full", city="Rome"))],  # REPLICA IDENTITY FULL
        [row("U", pairs(id="w", owner="no city"), pairs(id="w"))],
        [row("I", [*pairs(id="n", owner="New", city="Bonn"), typed("level", "smallint", 3)])],
    ]
    records = [r for n, rows in enumerate(cases) for r in transaction(*rows, lsn=f"0/{100 + n:X}", xid=n)]
    exact = body(*transaction(lsn="0/F0")[:1], EXACT, *transaction(lsn="0/F0")[1:])
    # Transaction 0/B0 wrote its rows before 0/A0 did, and committed after it.
    late = transaction(row("U", pairs(id="a", owner="late", city="L"), pairs(id="a"), lsn="0/10"), lsn="1/A", xid=80)
    early = transaction(row("U", pairs(id="a", owner="early", city="E"), pairs(id="a"), lsn="0/20"), lsn="0/FFFFFFFF")
    twice = transaction(
        row("I", pairs(id="t", owner="1", city="1")),
        row("D", identity=pairs(id="t")),
        row("I", pairs(id="t", owner="2", city="2")),
        lsn="0/E0",
    )
    house.deliver("wal/one.json", body(*records) + exact)
    house.deliver("wal/two.json.gz", gzip.compress(body(*early, *late), mtime=0))
    house.deliver("wal/three.json", body(*twice, *twice))
    house.load()
    return house


def test_rows_take_the_order_of_their_commits_not_of_their_writing(loaded: House) -> None:
    assert ("a", "late", "L", None) in rows_of(loaded.silver("people"))


def test_an_omitted_large_value_keeps_what_is_stored(loaded: House) -> None:
    [one] = loaded.silver("notes").where("id = 1").collect()
    assert (one["title"], one["body"], one["paid"]) == ("uno", BIG, None)
    assert str(one["at"]) == "2026-03-01 12:00:00.123456"


def test_a_key_change_removes_the_old_key(loaded: House) -> None:
    notes = {r["id"]: r for r in loaded.silver("notes").collect()}
    assert set(notes) == {1, 3, 5, 9007199254740993}
    assert (notes[3]["title"], notes[3]["body"], notes[3]["paid"]) == ("moved", "b", False)


def test_a_key_change_that_leaves_out_a_value_is_held_whole(loaded: House) -> None:
    [reason] = loaded.reasons("notes")
    assert "a key change leaves out an unchanged large value; set REPLICA IDENTITY FULL" in reason


def test_full_replica_identity_makes_an_update_whole(loaded: House) -> None:
    assert ("f", "Fay", "Rome", None) in rows_of(loaded.silver("people"))


def test_an_omitted_value_in_a_table_of_whole_changes_names_what_to_declare(loaded: House) -> None:
    [reason] = loaded.reasons("people")
    assert "declare `changes: partial`, or set REPLICA IDENTITY FULL" in reason


def test_a_new_column_arrives_with_its_type(loaded: House) -> None:
    assert dict(loaded.silver("people").dtypes)["level"] == "int"
    assert ("n", "New", "Bonn", 3) in rows_of(loaded.silver("people"))


def test_numbers_are_read_exactly_and_text_that_looks_like_them_stays_text(loaded: House) -> None:
    [exact] = loaded.silver("notes").where("id = 9007199254740993").collect()
    assert str(exact["price"]) == "12345678901234567890.1234567891"
    assert exact["title"] == '"value":1.50, and {"value": 7}'


def test_a_transaction_that_stands_twice_in_an_object_counts_once(loaded: House) -> None:
    assert ("t", "2", "2", None) in rows_of(loaded.silver("people"))
    assert loaded.bronze("people").where("id = 't'").count() == 3


def test_a_truncate_names_no_key(house: House) -> None:
    house.declare(PIPELINE, PEOPLE).deliver("wal/t.json", body(*transaction(INSERT, row("T"), row("I", pairs(id="b")))))
    house.extract()
    workspace = house.workspace()
    [manifest] = workspace.logs["people"].all()
    reading = Reading(workspace.table("people"), manifest.objects, workspace.objects, {})
    changes = Wal2JsonFeed().read(workspace.engines, reading).select("_op", "id", "_problem", "_position")
    found = workspace.engines.rows(changes)
    assert [tuple(r.values())[:3] for r in found] == [("upsert", "a", None), ("truncate", None, None), ("upsert", "b", None)]
    assert [r["_position"] for r in found] == [f"00000000016B3748|{n:012d}" for n in (1, 2, 3)]


def test_a_pipeline_of_wal2json_files_runs_from_yaml_alone(house: House) -> None:
    house.declare(PIPELINE, PEOPLE).deliver("wal/2026-03-01/a.json", body(*transaction(INSERT)))
    assert house.run().status == "published"
    assert house.run().status == "unchanged"
    assert rows_of(house.silver("people")) == [("a", "Ann", "Oslo")]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, spark: Any) -> House:
    """Every hostile sample delivered at once, each in a transaction of its own."""
    from house import NOON
    from ledgerlake.ports.clock import FixedClock

    house = House(tmp_path_factory.mktemp("hostile"), spark, FixedClock(NOON)).declare(PIPELINE, PEOPLE)
    for number, sample in enumerate(HOSTILE):
        for path, content in sample.files.items():
            house.deliver(f"wal/{path}", content.replace(b"0/16B3748", b"0/%X" % (number + 1)))
    house.load()
    return house


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name)
def test_hostile_input_ends_as_the_sample_says(hostile: House, sample: Hostile) -> None:
    [name] = sample.files
    [manifest] = hostile.workspace().logs["people"].all()
    refused = {r.source_name: r.reason for r in manifest.refused}
    landed = {o.source_name: o.path for o in manifest.objects}
    reasons = [r for q in hostile.quarantine("people") if q["object"] == landed.get(name) for r in q["reasons"]]
    assert (name in refused) == (sample.outcome == "refused")
    assert bool(reasons) == (sample.outcome == "quarantined")
    assert sample.says in refused.get(name, " ".join(reasons))


def test_a_refusal_names_file_and_line(house: House) -> None:
    table = house.declare(PIPELINE, PEOPLE).pipeline().tables["people"]
    with pytest.raises(SourceError, match=r"wal/a\.json:2"):
        probe("wal/a.json", body(*transaction(INSERT)[:1], "{", INSERT), table)


def test_two_tables_read_their_rows_from_one_object_and_count_their_own(house: House) -> None:
    one = transaction(row("I", pairs(id="p", owner="x", city="y")), of_notes("I", note(1, title="n")))
    house.declare(PIPELINE, PEOPLE, NOTES).deliver("wal/both.json", body(*one)).load()
    places = [house.bronze(t).first()["_position"][-12:] for t in ("people", "notes")]
    assert places == ["000000000001", "000000000001"]


def test_a_folder_keeps_a_table_to_its_own_objects(house: House) -> None:
    own = PEOPLE + "feed: {folder: people}\n"
    house.declare(PIPELINE, own).deliver("wal/people/a.json", body(*transaction(INSERT))).deliver(
        "wal/other/b.json", "x"
    )
    [record] = house.load()
    assert record["read"] == 1
