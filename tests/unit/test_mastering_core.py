"""The pure core of mastering: who is one customer at each moment, and which values survive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgerlake.core.mastering.identity import own_id
from ledgerlake.core.mastering.model import Candidate, Link, Mastered, Observation, Plan, Rule, Survivor
from ledgerlake.core.mastering.resolve import master
from ledgerlake.core.mastering.survivorship import NOTHING, survivor

T0 = datetime(2026, 3, 1, tzinfo=UTC)
NAME = (Rule("non_null"), Rule("trust"), Rule("recency"), Rule("record"))
STATE = (Rule("non_null"), Rule("rank", ("active", "canceled")), Rule("record"))
AMOUNT = (Rule("sum"),)
PLAN = Plan(
    master="customer",
    id_prefix="cust_",
    maps={"crm": frozenset({"name"}), "app": frozenset({"name", "state"}), "sub": frozenset({"state", "amount"})},
    identifying=frozenset({"crm", "app"}),
    rules={"name": NAME, "state": STATE, "amount": AMOUNT},
    trust={("crm", "name"): 90, ("app", "name"): 50},
)


def hour(n: int) -> datetime:
    return T0 + timedelta(hours=n)


def says(
    record: str, at: int, *keys: str, since: int = 0, order: int | None = None, gone: int | None = None, **values: Any
) -> Observation:
    """Return a version of ``source:key``; keys are ``name=value``."""
    source, _, key = record.partition(":")
    given_ = frozenset((k.split("=")[0], k.split("=")[1]) for k in keys)
    told = {f: values.get(f) for f in ("name", "state", "amount")}
    return Observation(
        source,
        key,
        f"{at if order is None else order:05d}",
        hour(since),
        hour(at),
        None if gone is None else hour(gone),
        given_,
        told,
    )


def id_of(record: str) -> str:
    source, _, key = record.partition(":")
    return own_id(PLAN, (source, key))


def links_of(found: Mastered, record: str) -> list[tuple[str, int, int | None, str]]:
    """Return (customer, from hour, to hour, event) of a record's links."""
    source, _, key = record.partition(":")

    def row(k: Link) -> tuple[str, int, int | None, str]:
        until = None if k.valid_to is None else hours(k.valid_to)
        return k.customer_id, hours(k.valid_from), until, k.event

    return [row(k) for k in found.links if (k.source, k.record) == (source, key)]


def hours(at: datetime) -> int:
    return int((at - T0).total_seconds() // 3600)


def test_records_that_share_a_key_are_one_customer_also_through_a_third() -> None:
    found = master([says("crm:1", 1, "mail=a"), says("app:1", 1, "mail=a", "tax=t"), says("app:2", 1, "tax=t")], PLAN)
    assert {k.customer_id for k in found.links} == {id_of("app:1")}
    assert [v.records for v in found.versions] == [3]


def test_keys_of_different_names_do_not_match() -> None:
    found = master([says("crm:1", 1, "mail=x"), says("app:1", 1, "tax=x")], PLAN)
    assert len(found.versions) == 2


def test_on_a_merge_the_older_id_survives_and_the_other_is_recorded_as_merged_into_it() -> None:
    found = master(
        [says("crm:1", 5, "mail=a", since=5), says("app:1", 1, "tax=t"), says("crm:1", 9, "mail=a", "tax=t", since=5)],
        PLAN,
    )
    assert links_of(found, "app:1") == [(id_of("app:1"), 1, None, "new")]
    assert links_of(found, "crm:1") == [(id_of("crm:1"), 5, 9, "new"), (id_of("app:1"), 9, None, "merged")]
    assert [k.previous_id for k in found.links if k.event == "merged"] == [id_of("crm:1")]


def test_on_a_split_the_part_with_the_anchor_keeps_the_id_and_the_other_gets_its_own_back() -> None:
    found = master(
        [
            says("app:1", 1, "mail=a"),
            says("app:2", 2, "mail=b", since=2),
            says("app:2", 4, "mail=a", since=2),
            says("app:2", 6, "mail=b", since=2),
        ],
        PLAN,
    )
    assert links_of(found, "app:1") == [(id_of("app:1"), 1, None, "new")]
    assert links_of(found, "app:2") == [
        (id_of("app:2"), 2, 4, "new"), (id_of("app:1"), 4, 6, "merged"), (id_of("app:2"), 6, None, "split"),
    ]  # fmt: skip


def test_a_record_that_leaves_one_customer_for_another_has_moved() -> None:
    found = master(
        [
            says("app:1", 1, "mail=a"),
            says("app:2", 1, "mail=b"),
            says("crm:1", 1, "mail=a", since=1),
            says("crm:1", 3, "mail=b", since=1),
        ],
        PLAN,
    )
    assert links_of(found, "crm:1") == [(id_of("app:1"), 1, 3, "new"), (id_of("app:2"), 3, None, "moved")]


def test_a_deleted_record_says_nothing_more_but_keeps_its_customer_s_id() -> None:
    found = master([says("app:1", 1, "mail=a", gone=7, name="Old"), says("crm:1", 2, "mail=a", since=2)], PLAN)
    assert links_of(found, "app:1") == [(id_of("app:1"), 1, 7, "new"), (id_of("app:1"), 7, None, "ended")]
    assert [(v.customer_id, hours(v.valid_from), v.fields["name"].value) for v in found.versions] == [
        (id_of("app:1"), 1, "Old"), (id_of("app:1"), 2, "Old"), (id_of("app:1"), 7, None),
    ]  # fmt: skip


def test_a_customer_ends_with_the_last_of_its_records() -> None:
    found = master([says("app:1", 1, "mail=a", gone=7)], PLAN)
    assert [hours(v.valid_to) for v in found.versions if v.valid_to] == [7]
    assert len(found.versions) == 1


def test_records_that_do_not_identify_make_no_customer_and_join_one_that_comes() -> None:
    found = master([says("sub:1", 1, "acc=1", state="active"), says("app:1", 4, "acc=1", since=4)], PLAN)
    assert links_of(found, "sub:1") == [(id_of("app:1"), 4, None, "new")]
    assert [hours(v.valid_from) for v in found.versions] == [4]


def test_a_version_that_begins_earlier_than_the_one_it_follows_begins_with_it() -> None:
    found = master([says("app:1", 5, "mail=a", order=1, name="A"), says("app:1", 3, "mail=a", order=2, name="B")], PLAN)
    assert [(hours(v.valid_from), v.fields["name"].value) for v in found.versions] == [(5, "B")]


def test_recency_counts_from_when_a_record_began_to_say_a_value_not_from_its_last_change() -> None:
    rules = {**PLAN.rules, "name": (Rule("recency"), Rule("record"))}
    plan = Plan(PLAN.master, PLAN.id_prefix, PLAN.maps, PLAN.identifying, rules)
    found = master(
        [
            says("app:1", 1, "mail=a", name="A"),
            says("crm:1", 3, "mail=a", name="B"),
            says("app:1", 5, "mail=a", name="A", state="active"),
        ],
        plan,
    )
    assert (found.versions[-1].fields["name"].value, hours(found.versions[-1].fields["name"].time or T0)) == ("B", 3)


def candidate(source: str, value: Any, *, at: int = 0, trust: int = 0, record: str = "1") -> Candidate:
    return Candidate(source, record, value, hour(at), trust)


@pytest.mark.parametrize(
    ("rules", "value", "rule"),
    [
        ((Rule("source", ("b", "a")), Rule("record")), "two", "source"),
        ((Rule("recency"), Rule("record")), "one", "recency"),
        ((Rule("trust"), Rule("record")), "two", "trust"),
        ((Rule("rank", ("two", "one")), Rule("record")), "two", "rank"),
        ((Rule("max"), Rule("record")), "two", "max"),
        ((Rule("min"), Rule("record")), "one", "min"),
        ((Rule("record"),), "one", "record"),
        ((Rule("source", ("z",)), Rule("record")), "one", "record"),
    ],
)
def test_each_rule_chooses_as_it_says(rules: tuple[Rule, ...], value: str, rule: str) -> None:
    found = survivor("f", [candidate("a", "one", at=2, trust=1), candidate("b", "two", at=1, trust=2)], rules)
    assert (found.value, found.rule) == (value, rule)
    assert [(k.source, k.lost_by) for k in found.losers] == [("b" if value == "one" else "a", rule)]


def test_non_null_leaves_out_who_says_nothing_and_a_null_is_no_loser() -> None:
    found = survivor("f", [candidate("a", None), candidate("b", "x")], (Rule("non_null"), Rule("record")))
    assert (found.value, found.source, found.rule, found.losers) == ("x", "b", "non_null", ())


def test_records_that_agree_are_no_conflict() -> None:
    found = survivor("f", [candidate("a", "x"), candidate("b", "x")], (Rule("trust"), Rule("record")))
    assert (found.rule, found.losers) == ("agreed", ())


def test_a_field_that_no_record_speaks_of_has_no_value_and_no_rule() -> None:
    assert survivor("f", [], (Rule("record"),)) is NOTHING
    assert survivor("f", [candidate("a", None)], (Rule("non_null"), Rule("record"))) is NOTHING


def test_sums_and_counts_are_made_of_all_records() -> None:
    told = [candidate("a", Decimal("1.50"), at=3), candidate("b", Decimal("2.25")), candidate("c", None)]
    assert survivor("f", told, (Rule("sum"),)) == Survivor(Decimal("3.75"), "aggregate", "2 records", hour(3), "sum")
    assert survivor("f", told, (Rule("count"),)).value == 2


# The oracle: at every hour everything is worked out again from nothing, with other means than the core's.


@dataclass(frozen=True)
class Act:
    record: str
    at: int
    keys: tuple[str, ...]
    name: str | None
    amount: int | None


RECORDS = ("crm:1", "crm:2", "app:1", "app:2", "sub:1")
SINCE = {"crm:1": 3, "crm:2": 1, "app:1": 2, "app:2": 2, "sub:1": 0}
acts = st.lists(
    st.builds(
        Act,
        st.sampled_from(RECORDS),
        st.integers(3, 12),
        st.lists(st.sampled_from(("mail=a", "mail=b", "tax=a", "acc=1")), max_size=2, unique=True).map(tuple),
        st.sampled_from((None, "X", "Y")),
        st.sampled_from((None, 1, 2)),
    ),
    min_size=1,
    max_size=9,
)
ends = st.dictionaries(st.sampled_from(RECORDS), st.integers(4, 14), max_size=2)


def state_at(history: Sequence[Act], ended: dict[str, int], t: int) -> dict[str, tuple[Act, bool]]:
    """Return what each record says at hour ``t``, and whether it is deleted by then."""
    found = {}
    for record in RECORDS:
        own, latest, seen = [a for a in history if a.record == record], 0, []
        for a in own:
            latest = max(latest, a.at)
            seen.append((latest, a))
        begun = [a for at, a in seen if at <= t]
        if record in ended and own and t >= max(ended[record], latest):
            found[record] = (own[-1], True)
        elif begun:
            found[record] = (begun[-1], False)
    return found


def partition(state: dict[str, tuple[Act, bool]]) -> list[set[str]]:
    groups = [{r} for r in state]
    changed = True
    while changed:
        changed = False
        for one in groups:
            for other in groups:
                if one is not other and any(set(state[a][0].keys) & set(state[b][0].keys) for a in one for b in other):
                    one |= other
                    groups.remove(other)
                    changed = True
                    break
            if changed:
                break
    return groups


def names_at(history: Sequence[Act], ended: dict[str, int], t: int) -> dict[str, tuple[Any, int, int, frozenset[str]]]:
    """Return customer → (name, amount, living records, all its records) at hour ``t``."""
    state, found = state_at(history, ended, t), {}
    for group in partition(state):
        able = [r for r in group if not r.startswith("sub")]
        if not able:
            continue
        anchor = sorted(able, key=lambda r: (SINCE[r], r.split(":")))[0]
        living = [r for r in group if not state[r][1]]
        told = [r for r in living if state[r][0].name is not None and not r.startswith("sub")]
        trusted = [r for r in told if r.startswith("crm")] or told
        newest = sorted(trusted, key=lambda r: (-said_since(history, ended, r, t), r.split(":")))
        name = state[newest[0]][0].name if newest else None
        amount = sum(state[r][0].amount or 0 for r in living if r.startswith("sub"))
        found[id_of(anchor)] = (name, amount, len(living), frozenset(group))
    return found


def said_since(history: Sequence[Act], ended: dict[str, int], record: str, t: int) -> int:
    now = state_at(history, ended, t)[record][0].name
    while t > 0 and record in (before := state_at(history, ended, t - 1)) and before[record][0].name == now:
        t -= 1
    return t


def observed(history: Iterable[Act], ended: dict[str, int]) -> list[Observation]:
    return [
        says(
            a.record,
            a.at,
            *a.keys,
            since=SINCE[a.record],
            order=n,
            gone=ended.get(a.record),
            name=a.name,
            amount=a.amount,
        )
        for n, a in enumerate(history)
    ]


@given(acts, ends)
@settings(max_examples=300)
def test_at_every_hour_customers_are_what_brute_force_says(history: list[Act], ended: dict[str, int]) -> None:
    found = master(observed(history, ended), PLAN)
    for t in range(3, 16):
        expected = names_at(history, ended, t)
        living = {k: v[:3] for k, v in expected.items() if v[2]}
        golden = [v for v in found.versions if v.valid_from <= hour(t) and (v.valid_to is None or hour(t) < v.valid_to)]
        assert {
            v.customer_id: (v.fields["name"].value, v.fields["amount"].value or 0, v.records) for v in golden
        } == living
        assert len(golden) == len(living)
        links = [k for k in found.links if k.valid_from <= hour(t) and (k.valid_to is None or hour(t) < k.valid_to)]
        members = {
            k: frozenset(f"{link.source}:{link.record}" for link in links if link.customer_id == k) for k in expected
        }
        assert members == {k: v[3] for k, v in expected.items()}
        assert len(links) == sum(len(v[3]) for v in expected.values())


@given(acts, ends, st.randoms())
@settings(max_examples=100)
def test_the_order_in_which_observations_are_given_means_nothing(
    history: list[Act], ended: dict[str, int], rng: Any
) -> None:
    given_ = observed(history, ended)
    shuffled = list(given_)
    rng.shuffle(shuffled)
    assert master(shuffled, PLAN) == master(given_, PLAN)


@given(acts, ends)
@settings(max_examples=100)
def test_consecutive_versions_differ_and_every_id_is_the_own_id_of_a_record(
    history: list[Act], ended: dict[str, int]
) -> None:
    found = master(observed(history, ended), PLAN)
    for one, other in zip(found.versions, found.versions[1:], strict=False):
        if one.customer_id == other.customer_id and one.valid_to == other.valid_from:
            assert (one.records, one.fields) != (other.records, other.fields)
    assert {v.customer_id for v in found.versions} <= {id_of(r) for r in RECORDS if not r.startswith("sub")}
