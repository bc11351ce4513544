"""Row rules: from a table's contract to Spark SQL that types each value and says what is wrong.

Everything here is text: functions from declarations to SQL expressions. Raw values arrive as
``r_<column>``, typed values leave as ``<column>``. A row with any reason is quarantined whole.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledgerlake.config.models import Column, Table
from ledgerlake.core.money import EXPONENTS, STRIPE_EXPONENTS
from ledgerlake.core.types import decimal_parts, spark_type
from ledgerlake.feeds.frames import literal


def typed_sql(table: Table, column: Column) -> str:
    """Return the expression of the typed value: null where the raw value does not fit the type."""
    raw = f"r_{column.name}"
    if column.unit != "major":
        return f"try_cast({_scaled(column)} AS {spark_type(column.type)})"
    if column.format != "auto":
        convert = {"epoch_seconds": "timestamp_seconds", "epoch_millis": "timestamp_millis"}[column.format]
        return f"{convert}(try_cast({raw} AS BIGINT))"
    if column.name in currency_columns(table):
        return f"upper(CAST({raw} AS STRING))"
    if column.type in ("date", "timestamp"):
        # A bare time would be read as one of today: only what names its day is a moment.
        raw = f"CASE WHEN CAST({raw} AS STRING) RLIKE '^[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}' THEN {raw} END"
    return f"try_cast({raw} AS {spark_type(column.type)})"


def _scaled(column: Column) -> str:
    """Return the amount in major units, unrounded; null for parts of a minor unit."""
    raw = f"r_{column.name}"
    whole = f"CASE WHEN try_cast({raw} AS DECIMAL(38,8)) = try_cast({raw} AS DECIMAL(30,0)) THEN try_cast({raw} AS DECIMAL(30,0)) END"
    return f"({whole}) * {_unit_size(column)}"


def currency_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that hold ISO codes, because an amount names them."""
    return tuple(dict.fromkeys(c.currency for c in table.columns if c.currency))


def exponents_sql(table: Table) -> list[str]:
    """Return select items ``e_<currency>``: the minor-unit exponent of each row's currency.

    Looked up once per row and currency column, because every amount asks for it; ``se_<currency>``
    by Stripe's table where an amount comes in Stripe's units. Null for an unknown code.
    """
    stripe = {c.currency for c in table.columns if c.currency and c.unit == "stripe"}
    found = [f"{_exponent(_code(name), EXPONENTS)} AS e_{name}" for name in currency_columns(table)]
    return found + [f"{_exponent(_code(name), STRIPE_EXPONENTS)} AS se_{name}" for name in sorted(filter(None, stripe))]


def _code(currency: str) -> str:
    return f"upper(CAST(r_{currency} AS STRING))"


def _exponent(code: str, exponents: dict[str, int]) -> str:
    """Return a CASE from a code to its exponent, the commonest first.

    The codes of one exponent stand in one string literal: a list of 140 literals made planning
    a batch slower than running it.
    """
    groups = {n: " ".join(_commonest_first(k for k, v in exponents.items() if v == n)) for n in (2, 0, 3)}
    return "CASE " + " ".join(f"WHEN {_among(code, codes)} THEN {n}" for n, codes in groups.items()) + " END"


def _commonest_first(codes: Iterable[str]) -> list[str]:
    common = ("USD", "EUR", "GBP", "CAD", "AUD", "CHF", "INR", "JPY")
    return sorted(codes, key=lambda k: (common.index(k) if k in common else len(common), k))


def _among(code: str, codes: str) -> str:
    return f"(length({code}) = 3 AND instr(' {codes} ', concat(' ', {code}, ' ')) > 0)"


def _unit_size(column: Column) -> str:
    exponent = ("se_" if column.unit == "stripe" else "e_") + str(column.currency)
    return f"CASE {exponent} WHEN 2 THEN 0.010BD WHEN 0 THEN 1.000BD WHEN 3 THEN 0.001BD END"


def reasons_sql(table: Table, suite_rules: list[tuple[str, str]]) -> str:
    """Return an array of reasons, empty for a good row.

    ``suite_rules`` are (name, expression that is true when the row fails) from a suite's
    quarantine expectations. Deletes are judged on their key alone, truncates have nothing to judge.
    """
    keys = [_test(table.column(k), nullable=False) for k in table.key]
    rest = [t for col in table.columns if col.name not in table.key for t in _column_tests(table, col)]
    key_extra = [t for k in table.key for t in _value_tests(table.column(k))]
    money = [_currency_test(name) for name in currency_columns(table)]
    suite = [(f"({expression})", name) for name, expression in suite_rules]
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


def _array(tests: list[tuple[str, str]]) -> str:
    # concat_ws leaves nulls out natively; compacting an array interprets a lambda for each test of each row.
    items = ", ".join(f"CASE WHEN {test} THEN {literal(reason)} END" for test, reason in tests)
    return f"coalesce(split(nullif(concat_ws('\\n', {items}), ''), '\\n'), {_NONE})" if items else _NONE


_NONE = "CAST(array() AS ARRAY<STRING>)"


def _column_tests(table: Table, column: Column) -> list[tuple[str, str]]:
    tests = _test(column, nullable=column.nullable) + _value_tests(column)
    if table.changes == "partial":
        held = f"(_op <> 'patch' OR array_contains(_carried, {literal(column.name)}))"
        tests = [(f"({held} AND ({test}))", reason) for test, reason in tests]
    return tests


def _test(column: Column, *, nullable: bool) -> list[tuple[str, str]]:
    name, raw = f"`{column.name}`", f"r_{column.name}"
    unreadable = f"{raw} IS NOT NULL AND {name} IS NULL"
    if column.unit != "major":
        unreadable += f" AND {_unit_size(column)} IS NOT NULL"
    tests = [(unreadable, f"{column.name}: not a {column.type}")]
    if column.type == "date" and column.format == "auto":
        # Midnight is how databases without a date type write one; any other time would be cut off unseen.
        tests.append((f"CAST({raw} AS STRING) RLIKE '^[0-9-]+[T ].*[1-9]'", f"{column.name}: has a time of day"))
    if not nullable:
        tests.append((f"{raw} IS NULL", f"{column.name}: null"))
    if column.type == "string":
        tests.append((f"instr({raw}, '\ufffd') > 0", f"{column.name}: not UTF-8"))
    if column.unit != "major":
        tests.append((f"{raw} IS NOT NULL AND r_{column.currency} IS NULL", f"{column.name}: no currency"))
        tests.append((f"{name} <> {_scaled(column)}", f"{column.name}: more decimals than {column.type}"))
    if decimal_parts(column.type) and column.unit == "major":
        tests.append(
            (
                f"{name} <> try_cast({raw} AS {_exact_type(column.type)})",
                f"{column.name}: more decimals than {column.type}",
            )
        )
    if column.currency and column.unit == "major":
        tests += _finer_than_currency(column)
    return tests


def _finer_than_currency(column: Column) -> list[tuple[str, str]]:
    """Return the test that an amount has no parts of a minor unit; only exponents below its scale can fail."""
    parts = decimal_parts(column.type)
    name = f"`{column.name}`"
    finer = [
        f"(e_{column.currency} = {n} AND {name} <> round({name}, {n}))"
        for n in (0, 2, 3)
        if parts is None or n < parts[1]
    ]
    return [(" OR ".join(finer), f"{column.name}: more decimals than its currency has")] if finer else []


def _value_tests(column: Column) -> list[tuple[str, str]]:
    name, kind = f"`{column.name}`", spark_type(column.type)
    tests = []
    if column.min is not None:
        tests.append((f"{name} < CAST({literal(column.min)} AS {kind})", f"{column.name}: below {column.min}"))
    if column.max is not None:
        tests.append((f"{name} > CAST({literal(column.max)} AS {kind})", f"{column.name}: above {column.max}"))
    if column.allowed:
        allowed = ", ".join(literal(a) for a in column.allowed)
        tests.append((f"CAST({name} AS STRING) NOT IN ({allowed})", f"{column.name}: not an allowed value"))
    if column.pattern:
        tests.append((f"NOT ({name} RLIKE {literal(column.pattern)})", f"{column.name}: does not match its pattern"))
    return tests


def _currency_test(name: str) -> tuple[str, str]:
    only_stripe = " ".join(sorted(set(STRIPE_EXPONENTS) - set(EXPONENTS)))
    elsewhere = f" AND NOT {_among(_code(name), only_stripe)}" if only_stripe else ""
    return (f"r_{name} IS NOT NULL AND e_{name} IS NULL{elsewhere}", f"{name}: unknown currency")


def _exact_type(column_type: str) -> str:
    """Return the widest Spark decimal for a raw value: the type's integer digits, then all decimals that fit.

    A value that is compared or read again at fewer decimals than it has would be rounded unseen.
    """
    parts = decimal_parts(column_type)
    assert parts is not None, "only decimals have an exact type"
    return f"DECIMAL(38,{max(12, 38 - parts[0] + parts[1])})"
