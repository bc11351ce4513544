"""A delivery is a name and a content: what comes back, what is refused and judged again, what is listed and cannot be read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from house import DAY, House, counts, lines, rows_of
from ledgerlake.errors import ConfigError
from ledgerlake.feeds.deliveries import REPLACED

PIPELINE = """
pipeline: bank
sources:
  files: {{feed: {feed}, location: files, options: {options}}}
publication: {{database: FINANCE, schema: BANK, bi_schema: BANK_BI}}
"""
PEOPLE = """
table: people
source: files
resource: people
key: [id]
feed: {feed}
columns:
  - {{name: id, type: string, nullable: false{id}}}
  - {{name: city, type: string{city}}}
"""


def declared(house: House, feed: str = "csv", options: str = "{}", own: str = "{}", **source: str) -> House:
    named = {n: f", source: '{source[n]}'" if n in source else "" for n in ("id", "city")}
    return house.declare(PIPELINE.format(feed=feed, options=options), PEOPLE.format(feed=own, **named))


def refusals(house: House) -> list[tuple[str, str]]:
    return [(r.source_name, r.reason) for m in house.workspace().logs["people"].all() for r in m.refused]


def people(house: House) -> list[Any]:
    return rows_of(house.silver("people"))


A, B, C = "id,city\n1,Bonn\n", "id,city\n1,Kiel\n", "id,city\n1,Ulm\n"
FIRST, SECOND = (f"files/people/p_2026-02-2{n}.csv" for n in (7, 8))


def test_content_that_comes_again_under_a_later_name_holds_again(house: House) -> None:
    declared(house).deliver("files/people/2026/02/26/p.csv", A).deliver("files/people/2026/02/27/p.csv", B).load()

    house.deliver("files/people/2026/02/28/p.csv", A).load()

    assert people(house) == [("1", "Bonn")]
    assert refusals(house) == []


def test_a_replaced_object_is_a_newer_delivery_where_that_is_declared(house: House) -> None:
    declared(house, options="{replaced: newer}").deliver(FIRST, A).load()
    seen = []
    for body in (B, A):
        house.deliver(FIRST, body).load()
        seen += people(house)

    assert seen == [("1", "Kiel"), ("1", "Bonn")]
    assert [o.delivery for m in house.workspace().logs["people"].all() for o in m.objects] == [1, 2, 3]


def test_a_replaced_object_stays_below_the_objects_after_it(house: House) -> None:
    declared(house, options="{replaced: newer}").deliver(FIRST, A).deliver("files/people/p_2026-02-26.csv", B).load()

    [record] = house.deliver("files/people/p_2026-02-26.csv", C).load()

    assert counts(record) == {"read": 1, "superseded": 1}
    assert people(house) == [("1", "Bonn")]


def test_a_replaced_object_is_refused_once_and_taken_when_somebody_asks(house: House) -> None:
    from dataclasses import replace

    from ledgerlake.feeds.registry import FEEDS
    from ledgerlake.ops.extract import request_for

    declared(house).deliver(FIRST, A).load()
    house.deliver(FIRST, B).load()
    assert house.load() == []
    assert [reason for _, reason in refusals(house)] == [REPLACED]

    workspace = house.workspace()
    request = request_for(workspace, "files", house.tick(), DAY)
    [refused] = workspace.logs["people"].all()[-1].refused
    feed = FEEDS["csv"]
    assert feed.pending(replace(request, dismissed=frozenset({refused.identity}))) == {"people": 0}
    feed.extract(replace(request, retried=frozenset({refused.identity})))
    house.load()

    assert people(house) == [("1", "Kiel")]


def test_a_refused_object_is_judged_again_when_its_declaration_changes_and_not_before(house: House) -> None:
    declared(house).deliver(FIRST, "id;city\n1;Bonn\n").deliver(SECOND, "id,City\n2,Kiel\n")
    house.load()
    before = len(refusals(house))
    house.load()
    assert len(refusals(house)) == before

    declared(house, city="City").load()
    assert people(house) == [("2", "Kiel")]
    declared(house, options='{delimiter: ";"}').load()

    assert people(house) == [("1", "Bonn"), ("2", "Kiel")]


def test_a_quiet_day_reads_nothing_even_where_files_were_only_touched(house: House) -> None:
    declared(house).deliver(FIRST, A).load()
    path = house.root / "sources" / FIRST
    path.touch()

    house.load()

    log = house.workspace().logs["people"]
    assert list(log.all()[-1].seen) == ["people/p_2026-02-27.csv"]
    path.chmod(0)  # it is not opened again
    house.load()
    path.chmod(0o644)
    assert len(house.workspace().logs["people"].all()) == len(log.all())


HIDDEN = [
    "_customers.csv", ".customers.csv", "(1) customers.csv", "übersicht 2.csv", "a{b}[c]*?.csv", "a b%20c.csv",
    "-.csv", "x" * 200 + ".csv", "quote'\".csv",
]  # fmt: skip


@pytest.mark.parametrize("feed", ["csv", "dump"])
def test_objects_of_any_name_are_read_whatever_reads_them(house: House, feed: str) -> None:
    declared(house, feed)
    for number, name in enumerate(HIDDEN):
        body = f"id,city\n{number},Bonn\n" if feed == "csv" else lines({"id": str(number), "city": "Bonn"})
        house.deliver(f"files/people/{name}", body)

    house.load()

    assert people(house) == [(str(n), "Bonn") for n in range(len(HIDDEN))]


UNFINISHED = ["p.csv._COPYING_", "p.csv.crdownload", "p.csv.part", "p.csv.tmp", "p.csv.filepart", "._p.csv"]


def test_uploads_that_are_not_finished_are_refused_and_read_under_their_final_name(house: House) -> None:
    declared(house)
    for name in UNFINISHED:
        house.deliver(f"files/people/{name}", A)
    house.load()
    assert sorted(name for name, _ in refusals(house)) == sorted(f"people/{n}" for n in UNFINISHED)

    (house.root / "sources/files/people/p.csv.part").rename(house.root / "sources/files/people/p.csv")
    house.load()

    assert people(house) == [("1", "Bonn")]


def test_links_that_cannot_be_followed_are_refused_and_their_neighbours_are_read(house: House) -> None:
    declared(house).deliver("files/people/p.csv", A).deliver("outside/q.csv", B)
    folder = house.root / "sources/files/people"
    (folder / "gone.csv").symlink_to(folder / "nothing.csv")
    (folder / "out.csv").symlink_to(house.root / "sources/outside/q.csv")
    (folder / "folder").symlink_to(folder)
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "inside.csv").symlink_to(folder / "p.csv")

    house.load()

    assert sorted((Path(name).name, reason) for name, reason in refusals(house)) == [
        ("folder", "a link to a folder"), ("gone.csv", "a link that leads nowhere"),
        ("loop.csv", "a link that leads nowhere"), ("out.csv", "a link that leads out of the source's folder"),
    ]  # fmt: skip
    assert people(house) == [("1", "Bonn")]


NAMES = {
    "a header in another case": ("csv", "ID,city\n1,Bonn\n", "did you mean 'ID'"),
    "a header with a blank": ("csv", "id, city\n1,Bonn\n", "did you mean ' city'"),
    "records in another case": ("dump", lines({"id": "1", "City": "Bonn"}), "did you mean 'City'"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_column_in_another_spelling_is_never_taken_for_absent(house: House, name: str) -> None:
    feed, body, says = NAMES[name]
    declared(house, feed).deliver("files/people/p_2026-03-01", body)

    records = house.load()

    assert any(says in told for told in [*(reason for _, reason in refusals(house)), *(r["reason"] for r in records)])


ADDRESSED = [("a`b", "c:d"), ("user.name", "_object"), ("Op", "_order"), ("None", "$x"), ("ä b", "Amount")]


@pytest.mark.parametrize(("id_name", "city_name"), ADDRESSED)
def test_any_column_of_a_file_can_be_addressed(house: House, id_name: str, city_name: str) -> None:
    declared(house, id=id_name, city=city_name)
    house.deliver("files/people/p.csv", f"{id_name},{city_name},amount\n1,Bonn,2\n").load()

    assert [r[:2] for r in people(house)] == [("1", "Bonn")]


def test_a_key_with_a_dot_stands_beside_a_path(house: House) -> None:
    declared(house, "dump", id='"user.name"', city="user.name")
    house.deliver("files/people/p.jsonl", lines({"user.name": "1", "user": {"name": "Bonn"}})).load()

    assert people(house) == [("1", "Bonn")]


def test_an_empty_array_is_a_delivery_of_nothing(house: House) -> None:
    declared(house, "dump", "{format: json_array}").deliver("files/people/p.json", "[]")

    assert [counts(r) for r in house.load()] == [{}]


def test_names_that_leave_their_order_open_are_refused_until_it_is_declared(house: House) -> None:
    declared(house).deliver("files/people/p_03-04-2026.csv", B).deliver("files/people/p_04-03-2026.csv", A).load()
    assert all("declare `order:`" in reason for _, reason in refusals(house))

    pattern = r"(?P<day>\d\d)-(?P<month>\d\d)-(?P<year>\d{4})"
    declared(house, options=f"{{order: {{pattern: '{pattern}'}}}}").load(DAY.replace(month=5))

    assert people(house) == [("1", "Kiel")]


def test_a_name_without_a_day_among_names_with_one_is_refused(house: House) -> None:
    declared(house).deliver(FIRST, A).deliver("files/people/final.csv", B).load()

    assert [name for name, _ in refusals(house)] == ["people/final.csv"]
    assert people(house) == [("1", "Bonn")]


def test_an_order_that_is_declared_otherwise_is_never_compared_with_the_old_one(house: House) -> None:
    declared(house).deliver(FIRST, A).load()
    failures: list[Any] = []

    declared(house, options="{order: modified}").deliver(SECOND, B)
    house.load(expect=lambda found: bool(failures.extend(found) or True))

    assert [type(f.error) for f in failures] == [ConfigError]
    assert "positions of two orders do not compare" in str(failures[0].error)


ORDERED = {"v1": "v10", "a": "a!b", "a b": "ab", "9": "9!"}


@pytest.mark.parametrize("older", ORDERED)
def test_texts_that_order_records_are_compared_as_texts(house: House, older: str) -> None:
    table = PEOPLE.format(feed="{order_by: [version]}", id="", city="") + "  - {name: version, type: string, nullable: false}\n"
    house.declare(PIPELINE.format(feed="dump", options="{}"), table)
    records = [{"id": "1", "city": "New", "version": ORDERED[older]}, {"id": "1", "city": "Old", "version": older}]
    house.deliver("files/people/p.jsonl", lines(*records)).load()

    assert [r[:2] for r in people(house)] == [("1", "New")]


SNAPSHOT = PEOPLE.replace("feed: {feed}", "snapshot: {{complete: true}}\nfeed: {feed}").format(feed="{}", id="", city="")


def test_a_snapshot_that_came_again_whole_withdraws_what_it_lacks(houses: Callable[[str], House]) -> None:
    house = houses("whole").declare(PIPELINE.format(feed="csv", options="{replaced: newer}"), SNAPSHOT)
    house.deliver(FIRST, "id,city\n1,Bonn\n2,Kiel\n3,Ulm\n").load()

    house.deliver(FIRST, "id,city\n1,Bonn\n3,Ulm\n").load()

    assert people(house) == [("1", "Bonn"), ("3", "Ulm")]


def test_a_part_of_a_snapshot_that_came_again_alone_deletes_nothing(houses: Callable[[str], House]) -> None:
    house = houses("part").declare(PIPELINE.format(feed="csv", options="{replaced: newer}"), SNAPSHOT)
    house.deliver(FIRST, "id,city\n1,Bonn\n").deliver(FIRST.replace("p_", "q_"), "id,city\n2,Kiel\n").load()
    failures: list[Any] = []

    house.deliver(FIRST, "id,city\n1,Ulm\n")
    house.load(expect=lambda found: bool(failures.extend(found) or True))

    assert "another part of the snapshot" in str(failures[0].error)
    assert people(house) == [("1", "Bonn"), ("2", "Kiel")]


def test_a_bomb_is_refused_and_its_neighbour_is_read(house: House) -> None:
    declared(house).deliver(FIRST, A)
    house.deliver("files/people/p_2026-02-26.csv", gzip.compress(b"id,city\n" + b"0" * (1 << 26), compresslevel=9)).load()

    assert [("more than 200 times" in reason) for _, reason in refusals(house)] == [True]
    assert people(house) == [("1", "Bonn")]
