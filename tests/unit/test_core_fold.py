"""The oracle itself: the rules of the fold, small and literal, and the algebra behind the promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.core.change import Change, Op
from ledgerlake.core.fold import KeyState, fold
from ledgerlake.errors import SourceError

COLUMNS = ("owner", "city")
KEY = ("a1",)


def upsert(at: str, owner: str | None, city: str | None) -> Change:
    return Change(KEY, Op.UPSERT, at, {"owner": owner, "city": city})


def patch(at: str, **values: object) -> Change:
    return Change(KEY, Op.PATCH, at, values)


def delete(at: str) -> Change:
    return Change(KEY, Op.DELETE, at, {})


def truncate(at: str) -> Change:
    return Change((), Op.TRUNCATE, at, {})


CASES = {
    "the newest upsert holds": ([upsert("2", "Bob", None), upsert("1", "Ann", "Bonn")], {"owner": "Bob", "city": None}),
    "a late upsert revives nothing": ([delete("3"), upsert("2", "Ann", "Bonn")], None),
    "a delete of an unknown key is no row": ([delete("1")], None),
    "a key comes back after its delete": ([delete("2"), upsert("3", "Ann", None)], {"owner": "Ann", "city": None}),
    "a patch sets only what it carries": ([upsert("1", "Ann", "Bonn"), patch("2", city="Kiel")], {"owner": "Ann", "city": "Kiel"}),
    "a patch may carry null": ([upsert("1", "Ann", "Bonn"), patch("2", city=None)], {"owner": "Ann", "city": None}),
    "a late patch sets what nothing newer has": (
        [upsert("1", "Ann", "Bonn"), patch("3", owner="Cid"), patch("2", owner="Bob", city="Kiel")],
        {"owner": "Cid", "city": "Kiel"},
    ),
    "a patch alone is no row": ([patch("1", city="Kiel")], None),
    "a patch waits for its upsert": ([patch("2", city="Kiel"), upsert("1", "Ann", "Bonn")], {"owner": "Ann", "city": "Kiel"}),
    "nothing from before a delete comes back": (
        [upsert("1", "Ann", "Bonn"), patch("2", city="Kiel"), delete("3"), upsert("4", "Bob", None)],
        {"owner": "Bob", "city": None},
    ),
    "a truncate removes what is older": ([truncate("2"), upsert("1", "Ann", "Bonn")], None),
    "a row written after a truncate stays": ([truncate("1"), upsert("2", "Ann", None)], {"owner": "Ann", "city": None}),
    "nothing from before a truncate comes back": (
        [patch("1", city="Kiel"), truncate("2"), patch("4", owner="Bob"), upsert("3", "Ann", None)],
        {"owner": "Bob", "city": None},
    ),
    "a patch after a delete is no row": ([upsert("1", "Ann", "Bonn"), delete("2"), patch("3", city="Kiel")], None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_changes_fold_into_the_row_that_they_mean(name: str) -> None:
    changes, row = CASES[name]

    assert fold(changes, COLUMNS) == ({} if row is None else {KEY: row})


def test_two_contents_at_one_position_are_an_error_not_a_coin_toss() -> None:
    with pytest.raises(SourceError, match="claim the same position"):
        fold([upsert("1", "Ann", None), upsert("1", "Bob", None)], COLUMNS)


def test_the_same_change_twice_is_one_change() -> None:
    once = fold([upsert("1", "Ann", None)], COLUMNS)

    assert fold([upsert("1", "Ann", None)] * 3, COLUMNS) == once


values = st.fixed_dictionaries(
    {}, optional={"owner": st.sampled_from(["Ann", "Bob", None]), "city": st.sampled_from(["Bonn", None])}
)
changes_of_a_key = st.lists(
    st.tuples(st.sampled_from(list(Op)), values), max_size=8
).map(lambda acts: [
    Change(() if op is Op.TRUNCATE else KEY, op, f"{at:03d}", {"owner": None, "city": None} | v if op is Op.UPSERT else v if op is Op.PATCH else {})
    for at, (op, v) in enumerate(acts)
])  # fmt: skip


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Change], list[Change]]:
    """Draw a history, and the same changes shuffled and partly repeated."""
    sent = draw(changes_of_a_key)
    again = draw(st.lists(st.sampled_from(sent), max_size=4)) if sent else []
    return sent, draw(st.permutations([*sent, *again]))


@given(arrivals())
def test_order_and_repetition_are_no_matter(drawn: tuple[list[Change], list[Change]]) -> None:
    sent, arrived = drawn

    assert fold(arrived, COLUMNS) == fold(sent, COLUMNS)


@given(changes_of_a_key)
def test_in_the_order_of_positions_the_fold_is_what_a_database_would_do(sent: list[Change]) -> None:
    """Replayed naively: put replaces, delete clears, patch sets on a row (an upsert to come sets all)."""
    row: dict[str, object] | None = None
    for change in sent:
        if change.op in (Op.DELETE, Op.TRUNCATE):
            row = None
        elif change.op is Op.UPSERT:
            row = dict(change.values)
        elif row is not None:
            row |= change.values

    assert fold(sent, COLUMNS) == ({} if row is None else {KEY: row})


@given(changes_of_a_key)
def test_a_state_is_the_same_however_its_changes_are_absorbed(sent: list[Change]) -> None:
    forwards, backwards = KeyState(), KeyState()
    sent = [change for change in sent if change.op is not Op.TRUNCATE]  # a matter of the table, not of a key
    for change in sent:
        forwards.absorb(change, COLUMNS)
    for change in reversed(sent):
        backwards.absorb(change, COLUMNS)

    assert forwards == backwards
