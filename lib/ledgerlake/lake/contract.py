"""Row rules: from a table's contract to Spark SQL that types each value and says what is wrong.

Everything here is text: functions from declarations to SQL expressions. Raw values arrive as
``_r_<column>``, texts or typed (``sources``: column → Spark type), typed values leave as ``<column>``.
Which texts are values is the types' own matter. A row with any reason is quarantined whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledgerlake.config.models import Column, Table
from ledgerlake.core.money import EXPONENTS, STRIPE_EXPONENTS
from ledgerlake.core.types import Refusal, decimal_parts
from ledgerlake.core.types.words import UNDECODABLE
from ledgerlake.lake import minor_units
from ledgerlake.sql.relation import literal
from ledgerlake.sql.values import reason_sql, value_sql

Sources = Mapping[str, str]
"""Column → Spark type of its raw value."""
Tests = list[tuple[str, str]]
"""(condition, reason as SQL) of what may be wrong."""


def typed_sql(table: Table, column: Column, sources: Sources) -> str:
    """Return the expression of the typed value: null where the raw value is none of the type."""
    raw = f"_r_{column.name}"
    if column.unit != "major":
        return minor_units.value_sql(column, sources[column.name])
    if column.name in currency_columns(table):
        return f"upper({raw})"
    return value_sql(column.kind, raw, sources[column.name])


def currency_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that hold ISO codes, because an amount names them."""
    return tuple(dict.fromkeys(c.currency for c in table.columns if c.currency))


def exponents_sql(table: Table) -> list[str]:
    """Return select items ``_e_<currency>``: the minor-unit exponent of each row's currency.

    Looked up once per row and currency column, because every amount asks for it; ``_se_<currency>``
    by Stripe's table where an amount comes in Stripe's units. Null for an unknown code.
    """
    stripe = {c.currency for c in table.columns if c.currency and c.unit == "stripe"}
    own, theirs = EXPONENTS | table.currencies, STRIPE_EXPONENTS | table.currencies
    found = [f"{_exponent(_code(name), own)} AS _e_{name}" for name in currency_columns(table)]
    return found + [f"{_exponent(_code(name), theirs)} AS _se_{name}" for name in sorted(filter(None, stripe))]


def _code(currency: str) -> str:
    return f"upper(_r_{currency})"


def _exponent(code: str, exponents: dict[str, int]) -> str:
    """Return a CASE from a code to its exponent, the commonest first.

    The codes of one exponent stand in one string literal: a list of 140 literals made planning
    a batch slower than running it.
    """
    digits = sorted(set(exponents.values()), key=lambda n: (n != 2, n))
    groups = {n: " ".join(_commonest_first(k for k, v in exponents.items() if v == n)) for n in digits}
    return "CASE " + " ".join(f"WHEN {_among(code, codes)} THEN {n}" for n, codes in groups.items()) + " END"


def _commonest_first(codes: Iterable[str]) -> list[str]:
    common = ("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "INR", "JPY")
    return sorted(codes, key=lambda k: (common.index(k) if k in common else len(common), k))


def _among(code: str, codes: str) -> str:
    return f"(length({code}) = 3 AND instr(' {codes} ', concat(' ', {code}, ' ')) > 0)"


def reasons_sql(table: Table, suite_rules: list[tuple[str, str]], sources: Sources) -> str:
    """Return an array of reasons, empty for a good row.

    ``suite_rules`` are (name, expression that is true when the row fails) from a suite's
    quarantine expectations. Deletes are judged on their key alone, truncates have nothing to judge.
    """
    keys = [_test(table.column(k), sources, nullable=False) for k in table.key]
    rest = [t for col in table.columns if col.name not in table.key for t in _column_tests(table, col, sources)]
    key_extra = [t for k in table.key for t in _value_tests(table.column(k))]
    money = [_currency_test(name) for name in currency_columns(table)]
    suite = [(f"({expression})", literal(name)) for name, expression in suite_rules]
    always = _array([t for group in keys for t in group])
    unless_delete = _array([*key_extra, *rest, *money, *suite])
    return (
        "CASE WHEN _problem IS NOT NULL THEN array(concat('record: ', _problem))"
        " WHEN _position IS NULL THEN array('record: no position')"
        f"{_never_changed(table)} WHEN _op = 'truncate' THEN {_NONE}"
        f" WHEN _op = 'delete' THEN {always} ELSE concat({always}, {unless_delete}) END"
    )


def _never_changed(table: Table) -> str:
    """Return the case of what no key of an append-only table allows."""
    if not table.append_only:
        return ""
    return " WHEN _op <> 'upsert' THEN array(concat('immutable: a ', _op, ' of a table whose keys are written once'))"


def _array(tests: Tests) -> str:
    # concat_ws leaves nulls out natively; compacting an array interprets a lambda for each test of each row.
    items = ", ".join(f"CASE WHEN {test} THEN {reason} END" for test, reason in tests)
    return f"coalesce(split(nullif(concat_ws('\\n', {items}), ''), '\\n'), {_NONE})" if items else _NONE


_NONE = "CAST(array() AS ARRAY<STRING>)"


def _column_tests(table: Table, column: Column, sources: Sources) -> Tests:
    tests = _test(column, sources, nullable=column.nullable) + _value_tests(column)
    if table.changes == "partial":
        held = f"(_op <> 'patch' OR array_contains(_carried, {literal(column.name)}))"
        tests = [(f"({held} AND ({test}))", reason) for test, reason in tests]
    return tests


def _test(column: Column, sources: Sources, *, nullable: bool) -> Tests:
    name, raw, source = f"`{column.name}`", f"_r_{column.name}", sources[column.name]
    tests: Tests = []
    if column.unit != "major":
        tests += minor_units.tests(column, source)
    elif column.type == "string":
        tests.append((_undecodable(raw), literal(f"{column.name}: not UTF-8")))
    else:
        why = reason_sql(column.kind, raw, source, column.name)
        tests.append((f"{raw} IS NOT NULL AND {name} IS NULL", why))
    if not nullable:
        tests.append((f"{raw} IS NULL", literal(f"{column.name}: null")))
    if column.currency and column.unit == "major":
        tests += _finer_than_currency(column)
    return tests


def _undecodable(raw: str) -> str:
    """Return the test for bytes that are no UTF-8: as Parquet and Avro may hold them, or as a decoder marked them."""
    return f"instr({raw}, {literal(UNDECODABLE)}) > 0 OR decode(CAST({raw} AS BINARY), 'UTF-8') <> {raw}"


def _finer_than_currency(column: Column) -> Tests:
    """Return the test that an amount has no parts of a minor unit; only exponents below its scale can fail."""
    parts = decimal_parts(column.type)
    name = f"`{column.name}`"
    if parts is None:
        return []
    finer = [f"(_e_{column.currency} = {n} AND {name} <> round({name}, {n}))" for n in (0, 2, 3, 4) if n < parts[1]]
    reason = literal(f"{column.name}: more decimals than its currency has")
    return [(" OR ".join(finer), reason)] if finer else []


def _value_tests(column: Column) -> Tests:
    name = f"`{column.name}`"
    tests: Tests = []
    if column.min is not None:
        tests.append((f"{name} < {_constant(column, column.min)}", literal(f"{column.name}: below {column.min}")))
    if column.max is not None:
        tests.append((f"{name} > {_constant(column, column.max)}", literal(f"{column.name}: above {column.max}")))
    if column.allowed:
        allowed = ", ".join(_constant(column, a) for a in column.allowed)
        tests.append((f"{name} NOT IN ({allowed})", literal(f"{column.name}: not an allowed value")))
    if column.pattern:
        says = literal(f"{column.name}: does not match its pattern")
        tests.append((f"NOT ({name} RLIKE {literal(column.pattern)})", says))
    return tests


def _constant(column: Column, text: str) -> str:
    """Return a declared value as a literal of the column's type."""
    canonical = column.constant(text)
    assert not isinstance(canonical, Refusal), "declared values are proven before Spark starts"
    return literal(canonical) if column.type == "string" else f"CAST({literal(canonical)} AS {column.kind.spark})"


def _currency_test(name: str) -> tuple[str, str]:
    return f"_r_{name} IS NOT NULL AND _e_{name} IS NULL", literal(f"{name}: unknown currency")
