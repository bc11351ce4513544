"""Amounts in minor units (cents, yen, fils), scaled by the exponent of the row's currency.

Minor units are whole. An amount with decimals is evidence that the object counts major units, and
then its whole amounts would be read a hundred times too small: nothing of the object
is taken (see ``core.change.CONTRADICTION``).
"""

from __future__ import annotations

from ledgerlake.config.models import Column
from ledgerlake.core.change import CONTRADICTION
from ledgerlake.core.types.numbers import PLAIN
from ledgerlake.core.types.sources import WHOLE
from ledgerlake.sql.relation import literal
from ledgerlake.sql.values import fits, text_sql

_WHOLE, _ZERO = "[+-]?[0-9]+", "[+-]?0+"


def value_sql(column: Column, source: str) -> str:
    """Return the amount in major units; null where it is none, or does not fit the type. Zero needs no currency."""
    kind, whole = column.kind.spark, _whole(column, source)
    nothing = f"_r_{column.currency} IS NULL AND {fits(_text(column, source), _ZERO)}"
    return f"CASE WHEN {nothing} THEN CAST(0 AS {kind}) ELSE try_cast({whole} * {_unit_size(column)} AS {kind}) END"


def tests(column: Column, source: str) -> list[tuple[str, str]]:
    """Return (condition, reason as SQL) of what may be wrong with an amount."""
    name, raw, text = f"`{column.name}`", f"_r_{column.name}", _text(column, source)
    unit = column.unit if column.unit == "minor" else "stripe"
    with_point = f"{CONTRADICTION}: an amount with decimals under `unit: {unit}`"
    unlike = f"WHEN {fits(text, PLAIN)} THEN {literal(f'{column.name}: {with_point}')}"
    other = f"ELSE {literal(f'{column.name}: not a whole number of minor units')}"
    scaled = f"{_whole(column, source)} * {_unit_size(column)}"
    none, finer = literal(f"{column.name}: no currency"), literal(f"{column.name}: more decimals than {column.type}")
    large = literal(f"{column.name}: more digits than {column.type}")
    return [
        (f"{raw} IS NOT NULL AND NOT ({fits(text, _WHOLE)})", f"CASE {unlike} {other} END"),
        (f"{raw} IS NOT NULL AND {name} IS NULL AND _r_{column.currency} IS NULL", none),
        (f"{fits(text, _WHOLE)} AND {name} IS NULL AND {_unit_size(column)} IS NOT NULL", large),
        (f"{name} <> {scaled}", finer),
    ]


def _text(column: Column, source: str) -> str:
    return text_sql(f"_r_{column.name}", source)


def _whole(column: Column, source: str) -> str:
    text = _text(column, source)
    if source in WHOLE:
        return f"CAST(_r_{column.name} AS DECIMAL(30,0))"
    return f"CASE WHEN {fits(text, _WHOLE)} THEN try_cast({text} AS DECIMAL(30,0)) END"


def _unit_size(column: Column) -> str:
    exponent = ("_se_" if column.unit == "stripe" else "_e_") + str(column.currency)
    sizes = ((2, "0.0100BD"), (0, "1.0000BD"), (3, "0.0010BD"), (4, "0.0001BD"))
    return f"CASE {exponent} {' '.join(f'WHEN {n} THEN {size}' for n, size in sizes)} END"
