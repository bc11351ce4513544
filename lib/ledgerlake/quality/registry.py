"""The Great Expectations types a suite may use, and the keyword arguments each of them takes.

Everything a suite may contain is in ``REGISTRY``; what is not in it is refused when the suite
is loaded, not when a run is half done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ledgerlake.quality.literals import parse_bound

# How an expectation is answered: ``row`` by one row alone, ``unique`` and ``distinct`` by
# counting rows per key, ``value`` by one aggregate of the table, ``columns`` by its schema.
Shape = Literal["row", "unique", "distinct", "value", "columns"]


@dataclass(frozen=True)
class Kwarg:
    """One keyword argument: what it accepts, and the words for that in an error."""

    accepts: Callable[[object], bool]
    wants: str


@dataclass(frozen=True)
class Kind:
    """One supported expectation type."""

    shape: Shape
    required: Mapping[str, Kwarg]
    optional: Mapping[str, Kwarg]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_names(value: object) -> bool:
    names = value if isinstance(value, list) else []
    return bool(names) and all(map(_is_text, names)) and len(set(names)) == len(names)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return number and 0 <= Decimal(str(value)) <= 1


def _is_value_set(value: object) -> bool:
    # Mixed sets make Spark coerce the column, so that 1 and '1.0' may or may not be equal.
    members = value if isinstance(value, list) else []
    families: tuple[Callable[[object], bool], ...] = (
        lambda v: isinstance(v, str),
        lambda v: isinstance(v, bool),
        lambda v: isinstance(v, int | Decimal) and parse_bound(v) is not None,
    )
    return bool(members) and any(all(map(family, members)) for family in families)


def _one_of(*words: str) -> Kwarg:
    return Kwarg(lambda v: v in words, " or ".join(f'"{w}"' for w in words))


_TEXT = Kwarg(_is_text, "a non-empty string")
_NAMES = Kwarg(_is_names, "a list of different column names")
_FLAG = Kwarg(lambda v: isinstance(v, bool), "true or false")
_COUNT = Kwarg(_is_count, "a whole number, 0 or more")
_SHARE = Kwarg(_is_share, "a number from 0 to 1")
_BOUND = Kwarg(
    lambda v: parse_bound(v) is not None,
    'a number, a date "2024-12-31" or a moment "2024-12-31T23:59:59"',
)
_VALUE_SET = Kwarg(_is_value_set, "a non-empty list of only strings, only numbers or only booleans")

_COLUMN = {"column": _TEXT}
_PAIR = {"column_A": _TEXT, "column_B": _TEXT}
_CONDITION = {"row_condition": _TEXT, "condition_parser": _one_of("spark")}
_ROWS = {"mostly": _SHARE, **_CONDITION}
_IGNORE_PAIR = {"ignore_row_if": _one_of("both_values_are_missing", "either_value_is_missing", "neither")}
_IGNORE_LIST = {"ignore_row_if": _one_of("all_values_are_missing", "any_value_is_missing", "never")}


def _between(bound: Kwarg) -> dict[str, Kwarg]:
    return {"min_value": bound, "max_value": bound, "strict_min": _FLAG, "strict_max": _FLAG}


def _row(required: Mapping[str, Kwarg], optional: Mapping[str, Kwarg] | None = None) -> Kind:
    return Kind("row", required, {**(optional or {}), **_ROWS})


def _measured(shape: Shape, required: Mapping[str, Kwarg], bound: Kwarg) -> Kind:
    return Kind(shape, required, {**_between(bound), **_CONDITION})


REGISTRY: Mapping[str, Kind] = {
    "expect_column_values_to_not_be_null": _row(_COLUMN),
    "expect_column_values_to_be_null": _row(_COLUMN),
    "expect_column_values_to_be_between": _row(_COLUMN, _between(_BOUND)),
    "expect_column_values_to_be_in_set": _row({**_COLUMN, "value_set": _VALUE_SET}),
    "expect_column_values_to_not_be_in_set": _row({**_COLUMN, "value_set": _VALUE_SET}),
    "expect_column_values_to_match_regex": _row({**_COLUMN, "regex": _TEXT}),
    "expect_column_values_to_not_match_regex": _row({**_COLUMN, "regex": _TEXT}),
    "expect_column_value_lengths_to_be_between": _row(_COLUMN, _between(_COUNT)),
    "expect_column_value_lengths_to_equal": _row({**_COLUMN, "value": _COUNT}),
    "expect_column_pair_values_a_to_be_greater_than_b": _row(_PAIR, {"or_equal": _FLAG, **_IGNORE_PAIR}),
    "expect_column_pair_values_to_be_equal": _row(_PAIR, _IGNORE_PAIR),
    "expect_column_values_to_be_unique": Kind("unique", _COLUMN, _ROWS),
    "expect_compound_columns_to_be_unique": Kind("unique", {"column_list": _NAMES}, {**_IGNORE_LIST, **_ROWS}),
    "expect_column_unique_value_count_to_be_between": _measured("distinct", _COLUMN, _COUNT),
    "expect_column_proportion_of_unique_values_to_be_between": _measured("distinct", _COLUMN, _SHARE),
    "expect_table_row_count_to_be_between": _measured("value", {}, _COUNT),
    "expect_table_row_count_to_equal": Kind("value", {"value": _COUNT}, _CONDITION),
    "expect_column_sum_to_be_between": _measured("value", _COLUMN, _BOUND),
    "expect_column_mean_to_be_between": _measured("value", _COLUMN, _BOUND),
    "expect_column_min_to_be_between": _measured("value", _COLUMN, _BOUND),
    "expect_column_max_to_be_between": _measured("value", _COLUMN, _BOUND),
    "expect_column_to_exist": Kind("columns", _COLUMN, {"column_index": _COUNT}),
    "expect_table_columns_to_match_set": Kind("columns", {"column_set": _NAMES}, {"exact_match": _FLAG}),
}
