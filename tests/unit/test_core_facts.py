"""Small pure facts: counts that add up, names from content, money, types, errors."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.core.accounting import Counts
from ledgerlake.core.identity import batch_id, fingerprint, publication_id, release_batch_id, serving_state
from ledgerlake.core.money import EXPONENTS, STRIPE_EXPONENTS, exponent, from_minor_units
from ledgerlake.core.types import contract_type, decimal_parts, is_type
from ledgerlake.errors import AccountingError, ConfigError, LeaseHeld, SourceError, TransientError, Where

HERE = Where(table="payments", batch_id="b-1")


def test_counts_that_add_up_pass_through() -> None:
    counts = Counts(read=10, applied=4, superseded=3, duplicate=2, quarantined=1, held=1)

    assert counts.check(HERE) is counts


@pytest.mark.parametrize("counts", [Counts(read=1), Counts(applied=1), Counts(read=1, applied=2, superseded=-1)])
def test_counts_that_do_not_add_up_or_are_negative_stop_the_run(counts: Counts) -> None:
    with pytest.raises(
        AccountingError, match=rf"read {counts.read} ≠ applied {counts.applied}.*table payments, batch_id b-1"
    ):
        counts.check(HERE)


parts = st.builds(lambda a, s, d, q: Counts(a + s + d + q, a, s, d, q), *[st.integers(0, 9)] * 4)


@given(parts, parts)
def test_balanced_batches_make_a_balanced_sum(one: Counts, other: Counts) -> None:
    assert (one + other).balanced
    assert (one + other).read == one.read + other.read


def test_a_batch_has_the_same_name_whatever_the_order_of_its_objects() -> None:
    objects = [("a.csv", "11"), ("b.csv", "22")]

    assert batch_id("t", objects, "c") == batch_id("t", reversed(objects), "c")


def test_a_batch_has_another_name_for_other_content_table_or_configuration() -> None:
    names = {
        batch_id("t", [("a.csv", "11")], "c"), batch_id("u", [("a.csv", "11")], "c"), batch_id("t", [("a.csv", "12")], "c"),
        batch_id("t", [("b.csv", "11")], "c"), batch_id("t", [("a.csv", "11")], "d"), release_batch_id("t", ["a.csv"], "c"),
    }  # fmt: skip

    assert len(names) == 6


def test_names_from_content_never_change_between_releases() -> None:
    assert batch_id("t", [("a.csv", "11")], "c") == "b-3fd3d3711b3c882e95e2a2b0"
    assert serving_state({"t": ("id", 3)}, "c") == "5c820da45f815ebb3cb659934c2b75635e719d83d0f530a3b4c5bb1928fd2659"
    assert publication_id("bank", "state", ("p-1", "p-1")) == "p-a2a0d1cbc6e34dbfde3c931b"


def test_a_publication_has_another_name_for_another_state_or_another_predecessor() -> None:
    names = {
        publication_id("bank", "s", ("", "")), publication_id("bank", "t", ("", "")), publication_id("shop", "s", ("", "")),
        publication_id("bank", "s", ("p-1", "p-1")), publication_id("bank", "s", ("p-1", "p-2")),
        publication_id("bank", "s", ("", "p-1")),
    }  # fmt: skip

    assert len(names) == 6


def test_a_table_that_was_made_anew_is_another_state() -> None:
    assert serving_state({"t": ("one", 3)}, "c") != serving_state({"t": ("other", 3)}, "c")


@given(st.dictionaries(st.text(), st.integers()))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    assert fingerprint(dict(reversed(value.items()))) == fingerprint(value)


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "12.34"), ("jpy", "1234"), ("KWD", "1.234"), ("ISK", "1234")])
def test_minor_units_are_scaled_by_their_currency(currency: str, amount: str) -> None:
    assert from_minor_units(1234, currency) == Decimal(amount)


def test_stripe_writes_kronur_and_shillings_with_two_decimals() -> None:
    assert (
        from_minor_units(1200, "ISK", STRIPE_EXPONENTS)
        == from_minor_units(1200, "UGX", STRIPE_EXPONENTS)
        == Decimal(12)
    )


@pytest.mark.parametrize(
    "answer",
    [lambda: exponent("XXQ"), lambda: from_minor_units(1, "XXQ"), lambda: from_minor_units(1, "XXQ", STRIPE_EXPONENTS)],
)
def test_an_unknown_currency_is_refused_never_divided_by_100(answer: object) -> None:
    with pytest.raises(SourceError, match="unknown currency"):
        answer()  # type: ignore[operator]


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(EXPONENTS)))
def test_minor_units_lose_nothing(amount: int, currency: str) -> None:
    assert from_minor_units(amount, currency).scaleb(exponent(currency)) == amount


@pytest.mark.parametrize(
    "name", ["double", "float", "decimal(39,2)", "decimal(2,3)", "decimal", "varchar", "map<string,string>"]
)
def test_floats_and_impossible_decimals_are_no_contract_types(name: str) -> None:
    assert not is_type(name)


def test_decimals_say_their_precision_and_scale() -> None:
    assert (decimal_parts("decimal(18, 3)"), decimal_parts("string")) == ((18, 3), None)


@pytest.mark.parametrize(
    ("spark", "own"),
    [
        ("int", "integer"),
        ("smallint", "integer"),
        ("timestamp_ntz", "timestamp"),
        ("double", None),
        ("array<int>", None),
    ],
)
def test_spark_types_become_contract_types_or_are_refused(spark: str, own: str | None) -> None:
    assert contract_type(spark) == own


def test_an_error_says_what_where_and_what_next() -> None:
    error = ConfigError("the key 'id' is no column", where=Where(file="t.yml", line=3, column="id"), then="declare it")

    assert str(error) == "the key 'id' is no column (t.yml:3, column id). Next: declare it"


def test_only_transient_errors_are_worth_another_try() -> None:
    assert issubclass(LeaseHeld, TransientError)
    assert not issubclass(SourceError, TransientError)
    assert (ConfigError.exit_code, SourceError.exit_code, AccountingError.exit_code, LeaseHeld.exit_code) == (
        2,
        3,
        5,
        75,
    )
