"""Objects stand in natural order, by parts; a name that can be read in two ways asks for a declared order."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.errors import SourceError
from ledgerlake.feeds.file_order import Pattern, auto_place, day_of, natural, order_of, place_of, ranked
from ledgerlake.landing.manifest import LandedObject

PAIRS = [
    ("export_9.csv", "export_10.csv"),
    ("2026/03/01/9/x.csv", "2026/03/01/10/x.csv"),
    ("a/x.csv", "a!/x.csv"),
    ("v1", "v10"),
    ("v1/x", "v1.5/x"),
    ("b_20260301-0100.csv", "a_20260301-0900.csv"),
    ("z_2026-02-28.csv", "a_2026-03-01.csv"),
    ("x_20260301_0059.csv", "x_20260301_0061.csv"),
    ("x_20260301T100000Z.csv", "x_20260301T110000Z.csv"),
    ("x_20260301100000000.csv", "x_20260301100000001.csv"),
    ("x_2026-3-9.csv", "x_2026-03-10.csv"),
    ("events-999999999.json", "events-1709251200.json"),
    ("part-2-of-10.csv", "part-10-of-10.csv"),
]


@pytest.mark.parametrize(("older", "newer"), PAIRS)
def test_the_older_object_stands_first(older: str, newer: str) -> None:
    assert auto_place(older) < auto_place(newer)


@pytest.mark.parametrize(
    "name",
    ["p_03-04-2026.csv", "p_13.02.2026.csv", "p_3-4-26.csv", "2026-02-28/p_2026-03-01.csv", "p_20260101-20260131.csv"],
)
def test_a_name_that_can_be_read_in_two_ways_asks_for_an_order(name: str) -> None:
    with pytest.raises(SourceError, match="declare `order:`"):
        auto_place(name)


def test_a_day_that_stands_twice_is_one_day() -> None:
    assert auto_place("2026/03/01/p_20260301-0100.csv") < auto_place("2026/03/01/p_20260301-0900.csv")
    assert day_of("2026/03/01/p_20260301-0100.csv") == date(2026, 3, 1)


def item(name: str, hour: int = 0, delivery: int = 1) -> LandedObject:
    return LandedObject("p", name, "h", 1, datetime(2026, 3, 1, hour, tzinfo=UTC), delivery=delivery)


def test_a_pattern_orders_by_what_it_names() -> None:
    order = order_of({"order": {"pattern": r"(?P<month>\d\d)-(?P<day>\d\d)-(?P<year>\d{4})_(?P<order>\d+)"}})
    names = ["p_12-31-2025_2.csv", "p_03-04-2026_9.csv", "p_03-04-2026_10.csv"]

    assert sorted(names, key=lambda n: place_of(item(n), order)) == names
    assert day_of(names[1], order) == date(2026, 3, 4)
    with pytest.raises(SourceError, match="does not fit"):
        place_of(item("else.csv"), order)


def test_the_source_s_time_orders_where_it_is_declared() -> None:
    assert place_of(item("b.csv", 1), "modified") < place_of(item("a.csv", 2), "modified")


def test_a_newer_delivery_of_a_name_outranks_the_older_and_no_later_name() -> None:
    first, again, later = item("p_1.csv"), item("p_1.csv", delivery=12), item("p_2.csv")
    assert place_of(first, "auto") < place_of(again, "auto") < place_of(later, "auto")


@pytest.mark.parametrize("text", ["(", "x", r"(?P<when>\d+)"])
def test_a_pattern_without_its_groups_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|regular expression"):
        Pattern(pattern=text)


texts = st.text(alphabet="a!| b~\x01z", max_size=4)


@given(st.lists(st.tuples(texts, texts), min_size=2, max_size=6))
def test_parts_are_compared_one_by_one(pairs: list[tuple[str, str]]) -> None:
    for one, other in itertools.combinations(pairs, 2):
        joined = ["".join(map(ranked, pair)) for pair in (one, other)]
        assert (joined[0] < joined[1]) == (one < other)


@given(st.lists(st.integers(0, 10**30), min_size=2, max_size=6))
def test_numbers_in_names_are_compared_by_value(numbers: list[int]) -> None:
    assert sorted(numbers, key=lambda n: natural(f"x{n}.csv")) == sorted(numbers)
