"""Random small tables and suites, drawn from values that meet, miss and sit on each bound."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.quality.tables import Entry, expect

_CENTS = ["0.00", "0.10", "0.30", "1.00", "10.00", "10.01", "-5.50", "9999999999.99"]
_MOMENTS = ["2024-01-31 00:00:00", "2024-01-31 23:59:59.999999", "2024-02-29 12:00:00"]
_CELLS: dict[str, list[object]] = {
    "id": [1, 2, 3, -4, 9_007_199_254_740_990],
    "code": ["", "A-1", "B-22", "it's", "a\\b", "Ä€"],
    "amount": [*_CENTS],
    "paid": [*_CENTS],
    "rate": [0.0, 0.1, 0.3, -1.5, 1e9],
    "booked": ["2024-01-31", "2024-02-29", "2023-12-31"],
    "changed": [*_MOMENTS],
    "open": [True, False],
}
_ROW = st.fixed_dictionaries({name: st.none() | st.sampled_from(cells) for name, cells in _CELLS.items()})
a_table = st.lists(_ROW, max_size=9)

_TIMES: list[object] = ["2024-01-31", "2024-02-29"]
_BOUNDS: dict[str, list[object]] = {
    "id": [-4, 1, 2.5, 3],
    "amount": [-5.5, 0, 0.1, 10, 10.01],
    "rate": [-1.5, 0, 0.1, 0.3, 2],
    "booked": _TIMES,
    "changed": [*_TIMES],
}
_CONDITIONS = ["open", "amount > 0.1 OR rate IS NULL", "code <> 'it''s'", "id IN (1, 2)"]


def _maybe(*values: object) -> st.SearchStrategy[object]:
    return st.none() | st.sampled_from(values)


@st.composite
def _bounds(draw: st.DrawFn, values: list[object]) -> Entry:
    first, second = draw(st.sampled_from(values)), draw(st.sampled_from(values))
    low, high = sorted([first, second], key=lambda v: (isinstance(v, str), v))
    drawn: Entry = {"min_value": low, "max_value": high}
    drawn.pop(draw(st.sampled_from(["min_value", "max_value", "neither"])), None)
    return drawn | {"strict_min": draw(st.booleans()), "strict_max": draw(st.booleans())}


@st.composite
def _conditioned(draw: st.DrawFn) -> Entry:
    condition = draw(_maybe(*_CONDITIONS))
    return {"row_condition": condition, "condition_parser": "spark"} if condition else {}


@st.composite
def _row_entry(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(sorted(_ROW_KWARGS)))
    kwargs = draw(_ROW_KWARGS[kind])
    mostly = draw(st.sampled_from([0, 0.25, 0.5, 0.9, 1]))
    return expect(kind, **kwargs, **draw(_conditioned()), mostly=mostly)


@st.composite
def _measured_entry(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(["sum", "mean", "min", "max", "unique_value_count", "rows"]))
    condition = draw(_conditioned())
    if kind == "rows":
        kwargs = draw(_bounds([0, 1, 2, 4]))
        return expect("expect_table_row_count_to_be_between", **kwargs, **condition)
    if kind == "unique_value_count":
        kwargs = draw(_bounds([0, 1, 2, 4]))
        column = draw(st.sampled_from(sorted(_CELLS)))
        return expect(f"expect_column_{kind}_to_be_between", column=column, **kwargs, **condition)
    numbers = ["id", "amount", "rate"]
    column = draw(st.sampled_from(numbers if kind in ("sum", "mean") else sorted(_BOUNDS)))
    kwargs = draw(_bounds(_BOUNDS[column]))
    return expect(f"expect_column_{kind}_to_be_between", column=column, **kwargs, **condition)


@st.composite
def _ranged(draw: st.DrawFn) -> Entry:
    column = draw(st.sampled_from(sorted(_BOUNDS)))
    return {"column": column, **draw(_bounds(_BOUNDS[column]))}


@st.composite
def _members(draw: st.DrawFn) -> Entry:
    column = draw(st.sampled_from(["id", "code", "booked", "open"]))
    cells = st.sampled_from(_CELLS[column])
    return {"column": column, "value_set": draw(st.lists(cells, min_size=1, max_size=3))}


@st.composite
def _pair(draw: st.DrawFn) -> Entry:
    ignored = draw(_maybe("both_values_are_missing", "either_value_is_missing", "neither"))
    pair: Entry = {"column_A": "amount", "column_B": "paid"}
    return pair | ({"ignore_row_if": ignored} if ignored else {})


@st.composite
def _keys(draw: st.DrawFn) -> Entry:
    names = st.lists(st.sampled_from(sorted(_CELLS)), min_size=2, max_size=3, unique=True)
    ignored = draw(st.sampled_from(["all_values_are_missing", "any_value_is_missing", "never"]))
    return {"column_list": draw(names), "ignore_row_if": ignored}


_ANY_COLUMN: st.SearchStrategy[Entry] = st.fixed_dictionaries({"column": st.sampled_from(sorted(_CELLS))})
_REGEX: st.SearchStrategy[Entry] = st.fixed_dictionaries(
    {
        "column": st.just("code"),
        "regex": st.sampled_from(["^[A-Z]-\\d+$", "\\\\", "'", "^$", "€", "(?i)^a"]),
    }
)
_ROW_KWARGS: dict[str, st.SearchStrategy[Entry]] = {
    "expect_column_values_to_not_be_null": _ANY_COLUMN,
    "expect_column_values_to_be_null": _ANY_COLUMN,
    "expect_column_values_to_be_unique": _ANY_COLUMN,
    "expect_column_values_to_be_between": _ranged(),
    "expect_column_values_to_be_in_set": _members(),
    "expect_column_values_to_not_be_in_set": _members(),
    "expect_column_values_to_match_regex": _REGEX,
    "expect_column_values_to_not_match_regex": _REGEX,
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(),
    "expect_column_pair_values_to_be_equal": _pair(),
    "expect_compound_columns_to_be_unique": _keys(),
}
some_expectations: st.SearchStrategy[list[Entry]] = st.lists(
    _row_entry() | _measured_entry(),
    min_size=12,
    max_size=18,
    unique_by=lambda entry: json.dumps(entry, sort_keys=True),
)
