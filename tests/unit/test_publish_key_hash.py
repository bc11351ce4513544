"""The key hash: blind to order, sensitive to everything else."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.errors import PublishError
from ledgerlake.publish.keyhash import EMPTY, key_hash, snowflake_key_hash, spark_key_hash

keys = st.lists(st.tuples(st.none() | st.text(max_size=5), st.none() | st.integers(-99, 99)), max_size=8)
TYPES = ("string", "integer")


@given(keys, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows: list[tuple[str | None, int | None]], chance: random.Random) -> None:
    assert key_hash(chance.sample(rows, len(rows)), TYPES) == key_hash(rows, TYPES)


@given(keys, st.data())
def test_a_lost_or_doubled_key_shows(rows: list[tuple[str | None, int | None]], data: st.DataObject) -> None:
    one = data.draw(st.tuples(st.text(max_size=5), st.integers(-99, 99)))

    assert key_hash([*rows, one], TYPES) != key_hash(rows, TYPES)
    assert key_hash([*rows, one, one], TYPES) != key_hash([*rows, one], TYPES)


def test_known_figures_never_change_because_spark_was_checked_against_them() -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    row = ("a", 1, True, date(2026, 1, 2), instant, Decimal("1.5"), None)
    types = ("string", "integer", "boolean", "date", "timestamp", "decimal(18,2)", "string")

    assert key_hash([], types) == EMPTY
    assert key_hash([row], types) == "3525854636521007:3427930348465308"


def test_a_decimal_counts_by_value_not_by_spelling() -> None:
    assert key_hash([(Decimal("1.5"),)], ("decimal(9,2)",)) == key_hash([(Decimal("1.50"),)], ("decimal(9,2)",))


def test_null_is_not_the_empty_text() -> None:
    assert key_hash([(None,)], ("string",)) != key_hash([("",)], ("string",))


@pytest.mark.parametrize("build", [spark_key_hash, snowflake_key_hash])
def test_neither_sql_form_takes_an_empty_key_or_a_name_with_sql_in_it(build: object) -> None:
    assert callable(build)
    with pytest.raises(PublishError, match="without a key"):
        build([], {})
    with pytest.raises(PublishError, match="not a name"):
        build(["a`) or (1"], {"a`) or (1": "string"})
