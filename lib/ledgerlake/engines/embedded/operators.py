"""Literals, comparisons, arithmetic, branches and casts.

Sources: Spark 3.5 SQL reference (ANSI mode off), and its ``DecimalPrecision`` for the types of
arithmetic on decimals.
"""

from __future__ import annotations

import re

from sqlglot import exp

from ledgerlake.engines.base import Unsupported
from ledgerlake.engines.embedded import kinds
from ledgerlake.engines.embedded.kinds import VOID, name, named, text
from ledgerlake.engines.embedded.regex import matches_sql
from ledgerlake.engines.embedded.translate import Scope, Sql, _field, _unsupported, expression, query, rule

_INT_MAX, _BIGINT_MAX = (1 << 31) - 1, (1 << 63) - 1
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARED: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
             exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM"}  # fmt: skip
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\z"
_DAY_OR_MORE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]*([zZ]| ?UTC| ?GMT| ?[+-][0-9]{2}(:?[0-9]{2})?)?)?\z"
_MOMENT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
    r" ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?|[A-Z][A-Za-z]+/[A-Za-z0-9_/+-]+)?)?\z"
)
_WHOLE = r"^[+-]?[0-9]+\z"
_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,4})?\z"
_TRUTH = r"^(?i:t|true|y|yes|1|f|false|n|no|0)\z"


def constant(node: exp.Expr) -> str | None:
    """Return what a literal text says, None of anything else."""
    return node.name if isinstance(node, exp.Literal) and node.is_string else None


def number(node: exp.Expr) -> int | None:
    """Return what a literal whole number says, None of anything else."""
    if isinstance(node, exp.Neg):
        inner = number(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        return int(node.name)
    return None


@rule(exp.Literal)
def _literal(node: exp.Literal, scope: Scope) -> Sql:
    if node.is_string:
        return Sql(text(node.name), "string", node)
    said = node.name
    if said.isdigit():
        value = int(said)
        if value > _BIGINT_MAX:
            return _decimal_literal(said, node)
        return Sql(said, "int" if value <= _INT_MAX else "bigint", node)
    if "e" in said.lower():
        return Sql(f"CAST({said} AS DOUBLE)", "double", node)
    return _decimal_literal(said, node)


def _decimal_literal(said: str, node: exp.Expr) -> Sql:
    whole, _, rest = said.partition(".")
    digits = len((whole + rest).lstrip("0"))
    parts = max(digits, len(rest), 1), len(rest)
    if parts[0] > kinds.DIGITS_MAX:
        raise Unsupported(f"the number {said}")
    return Sql(f"CAST({text(said)} AS {kinds.duck(named(parts))})", named(parts), node)


@rule(exp.Null)
def _null(node: exp.Null, scope: Scope) -> Sql:
    return Sql("NULL", VOID, node)


@rule(exp.Boolean)
def _truth(node: exp.Boolean, scope: Scope) -> Sql:
    return Sql("true" if node.this else "false", "boolean", node)


@rule(exp.Column)
def _column(node: exp.Column, scope: Scope) -> Sql:
    return scope.column(node)


@rule(exp.Identifier)
def _identifier(node: exp.Identifier, scope: Scope) -> Sql:
    return scope.column(exp.column(node.copy()))


@rule(exp.Dot)
def _dot(node: exp.Dot, scope: Scope) -> Sql:
    return _field(expression(node.this, scope), node.expression.name)


@rule(exp.Paren)
def _paren(node: exp.Paren, scope: Scope) -> Sql:
    inner = expression(node.this, scope)
    return Sql(f"({inner.text})", inner.kind, inner.literal)


@rule(exp.Alias, exp.PropertyEQ)
def _named(node: exp.Expr, scope: Scope) -> Sql:
    return expression(node.this if isinstance(node, exp.Alias) else node.expression, scope)


@rule(exp.And, exp.Or)
def _both(node: exp.Connector, scope: Scope) -> Sql:
    word = "AND" if isinstance(node, exp.And) else "OR"
    sides = [expression(n, scope) for n in (node.left, node.right)]
    if any(s.kind not in ("boolean", VOID) for s in sides):
        raise _unsupported(node, f"{word} of other than conditions")
    return Sql(f"({sides[0].text} {word} {sides[1].text})", "boolean")


@rule(exp.Not)
def _not(node: exp.Not, scope: Scope) -> Sql:
    inner = expression(node.this, scope)
    if inner.kind not in ("boolean", VOID):
        raise _unsupported(node, "NOT of other than a condition")
    return Sql(f"(NOT {inner.text})", "boolean")


@rule(exp.Is)
def _is(node: exp.Is, scope: Scope) -> Sql:
    inner, what = expression(node.this, scope), node.expression
    negated = isinstance(what, exp.Not)
    what = what.this if negated else what
    if not isinstance(what, exp.Null | exp.Boolean):
        raise _unsupported(node)
    said = "NULL" if isinstance(what, exp.Null) else ("TRUE" if what.this else "FALSE")
    return Sql(f"({inner.text} IS {'NOT ' if negated else ''}{said})", "boolean")


@rule(*_COMPARED)
def _compare(node: exp.Binary, scope: Scope) -> Sql:
    left, right = alike([expression(node.left, scope), expression(node.right, scope)])
    return Sql(f"({left.text} {_COMPARED[type(node)]} {right.text})", "boolean")


@rule(exp.Between)
def _between(node: exp.Between, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    low, high = expression(node.args["low"], scope), expression(node.args["high"], scope)
    first, least = alike([value, low])
    second, most = alike([value, high])
    return Sql(f"({first.text} >= {least.text} AND {second.text} <= {most.text})", "boolean")


@rule(exp.In)
def _in(node: exp.In, scope: Scope) -> Sql:
    if node.args.get("unnest") or node.args.get("field"):
        raise _unsupported(node, "IN of other than a list or a query")
    if node.args.get("query"):
        value, body = expression(node.this, scope), query(node.args["query"], scope.known)
        if list(body.columns.values()) != [value.kind]:
            raise _unsupported(node, "IN with a query of another type")
        return Sql(f"({value.text} IN ({body.text}))", "boolean")
    found = alike([expression(n, scope) for n in (node.this, *node.expressions)])
    return Sql(f"({found[0].text} IN ({', '.join(f.text for f in found[1:])}))", "boolean")


@rule(exp.Subquery)
def _scalar(node: exp.Subquery, scope: Scope) -> Sql:
    body = query(node.this, scope.known)
    if len(body.columns) != 1:
        raise _unsupported(node, "a query of several columns as a value")
    return Sql(f"({body.text})", next(iter(body.columns.values())))


@rule(exp.Like)
def _like(node: exp.Like, scope: Scope) -> Sql:
    pattern = constant(node.expression)
    if pattern is None or "\\" in pattern:
        raise _unsupported(node, "LIKE with other than a plain text")
    return Sql(f"({strings(node.this, scope).text} LIKE {text(pattern)})", "boolean")


@rule(exp.RegexpLike)
def _rlike(node: exp.RegexpLike, scope: Scope) -> Sql:
    pattern = constant(node.expression)
    if pattern is None:
        raise _unsupported(node, "RLIKE with other than a constant pattern")
    return Sql(f"({matches_sql(strings(node.this, scope).text, pattern)})", "boolean")


def strings(node: exp.Expr, scope: Scope) -> Sql:
    """Return an expression that must be text."""
    value = expression(node, scope)
    if value.kind not in ("string", VOID):
        raise _unsupported(node, f"a text function of {value.kind}")
    return value


def alike(values: list[Sql]) -> list[Sql]:
    """Return values as Spark compares them: days beside texts that are days, numbers as they are."""
    families = {v.kind for v in values if v.kind != VOID}
    if len(families) <= 1 or all(kinds.is_number(k) for k in families):
        if "double" in families and any(kinds.decimal(k) for k in families):
            return [v.cast("double") if v.kind != VOID else v for v in values]
        return values
    if "string" in families and len(families) == 2:
        other = next(k for k in families if k != "string")
        said = [constant(v.literal) if v.literal is not None and v.kind == "string" else None for v in values if v.kind == "string"]
        if other in ("date", "timestamp") and all(s is not None for s in said):
            return [_moment_literal(v, other) if v.kind == "string" else v for v in values]
        raise Unsupported(f"a comparison of {other} with text")
    wanted = kinds.common(families)
    return [v.cast(wanted) if v.kind != VOID else v for v in values]


def _moment_literal(value: Sql, kind: str) -> Sql:
    said = constant(value.literal) if value.literal is not None else None
    plain = said is not None and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}" + ("" if kind == "date" else r"( [0-9]{2}:[0-9]{2}:[0-9]{2})?"), said)
    if not plain:
        raise Unsupported(f"the text {said!r} beside a {kind}")
    return Sql(f"CAST({value.text} AS {kinds.duck(kind)})", kind)


@rule(exp.Neg)
def _negative(node: exp.Neg, scope: Scope) -> Sql:
    inner = expression(node.this, scope)
    if not kinds.is_number(inner.kind):
        raise _unsupported(node, f"minus of {inner.kind}")
    return Sql(f"(-{inner.text})", inner.kind, inner.literal)


@rule(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
def _arithmetic(node: exp.Binary, scope: Scope) -> Sql:
    sign = _ARITHMETIC[type(node)]
    if isinstance(node.right, exp.Interval):
        return _shifted(expression(node.left, scope), sign, node.right)
    left, right = expression(node.left, scope), expression(node.right, scope)
    return calculated(left, sign, right, node)


def calculated(left: Sql, sign: str, right: Sql, node: exp.Expr) -> Sql:
    """Return a sum, difference, product, quotient or remainder in the type that Spark gives it."""
    pair = {left.kind, right.kind}
    if left.kind == "date" and right.kind == "date" and sign == "-":
        raise _unsupported(node, "a difference of dates as an interval")
    if left.kind == "date" and kinds.is_whole(right.kind) and sign in "+-":
        return Sql(f"({left.text} {sign} CAST({right.text} AS INTEGER))", "date")
    if not all(kinds.is_number(k) for k in pair):
        raise _unsupported(node, f"{left.kind} {sign} {right.kind}")
    if "float" in pair:
        raise _unsupported(node, "arithmetic on float")
    if "double" in pair or (sign == "/" and all(kinds.is_whole(k) for k in pair)):
        one, two = left.cast("double"), right.cast("double")
        guard = f"CASE WHEN {two.text} <> 0 THEN {one.text} {sign} {two.text} END"
        return Sql(f"({guard if sign in '/%' else f'{one.text} {sign} {two.text}'})", "double")
    if all(kinds.is_whole(k) for k in pair):
        wide = kinds.common(pair)
        said = f"{left.cast(wide).text} {sign} {right.cast(wide).text}"
        return Sql(f"(CASE WHEN {right.text} <> 0 THEN {said} END)" if sign == "%" else f"({said})", wide)
    return _decimals(left, sign, right, node)


def _decimals(left: Sql, sign: str, right: Sql, node: exp.Expr) -> Sql:
    (p1, s1), (p2, s2) = _precise(left), _precise(right)
    if sign in "+-":
        scale = max(s1, s2)
        wanted = kinds.adjusted(max(p1 - s1, p2 - s2) + scale + 1, scale)
        if wanted[1] < scale:
            raise _unsupported(node, "a sum of more than 38 digits")
        as_ = kinds.duck(named(wanted))
        return Sql(f"CAST(CAST({left.text} AS {as_}) {sign} CAST({right.text} AS {as_}) AS {as_})", named(wanted))
    if sign == "*":
        if s1 + s2 > kinds.DIGITS_MAX:
            raise _unsupported(node, "a product of more than 38 decimals")
        wanted = kinds.adjusted(p1 + p2 + 1, s1 + s2)
        wide = min(kinds.DIGITS_MAX, p1 + p2)
        one, two = f"CAST({left.text} AS DECIMAL({wide},{s1}))", f"CAST({right.text} AS DECIMAL({p2},{s2}))"
        return Sql(f"CAST({one} * {two} AS {kinds.duck(named(wanted))})", named(wanted))
    if sign == "/":
        scale = max(6, s1 + p2 + 1)
        return quotient(unscaled(left, s1), s1, unscaled(right, s2), s2, kinds.adjusted(p1 - s1 + s2 + scale, scale))
    raise _unsupported(node, "a remainder of decimals")


def _precise(value: Sql) -> tuple[int, int]:
    """Return the decimal as which a number takes part; of a literal whole number, its own digits."""
    if value.literal is not None and kinds.is_whole(value.kind) and value.literal.name.isdigit():
        return len(value.literal.name), 0
    parts = kinds.as_decimal(value.kind)
    assert parts is not None, "numbers only"
    return parts


def unscaled(value: Sql, scale: int) -> str:
    """Return a decimal's digits as a whole number."""
    if kinds.is_whole(value.kind):
        return f"CAST({value.text} AS HUGEINT)"
    parts = kinds.decimal(value.kind)
    assert parts is not None, "decimals only"
    if parts[0] + scale > kinds.DIGITS_MAX:  # a product has no place for so many digits, a text has
        return f"CAST(replace(CAST({value.text} AS VARCHAR), '.', '') AS HUGEINT)"
    shift = f"CAST('1{'0' * scale}' AS DECIMAL({scale + 1},0))"
    wide = f"CAST({value.text} AS DECIMAL({kinds.DIGITS_MAX},{parts[1]}))"
    return f"CAST({wide} * {shift} AS HUGEINT)"


def quotient(left: str, s1: int, right: str, s2: int, wanted: tuple[int, int]) -> Sql:
    """Return the quotient of two decimals' digits, halves away from zero; null where the divisor is zero."""
    shift = wanted[1] + s2 - s1
    over = f"{left} * CAST('1{'0' * shift}' AS HUGEINT)" if shift >= 0 else left
    under = right if shift >= 0 else f"{right} * CAST('1{'0' * -shift}' AS HUGEINT)"
    tiny = f"CAST('0.{'0' * (wanted[1] - 1)}1' AS DECIMAL({wanted[1]},{wanted[1]}))" if wanted[1] else "CAST(1 AS DECIMAL(1,0))"
    return Sql(f"CAST(ledger_quotient({over}, {under}) * {tiny} AS {kinds.duck(named(wanted))})", named(wanted))


@rule(exp.SafeDivide)
def _safe_divide(node: exp.SafeDivide, scope: Scope) -> Sql:
    left, right = (expression(n, scope) for n in (node.this, node.expression))
    return calculated(left, "/", right, node)


@rule(exp.IntDiv)
def _whole_division(node: exp.IntDiv, scope: Scope) -> Sql:
    left, right = expression(node.left, scope), expression(node.right, scope)
    if not (kinds.is_whole(left.kind) and kinds.is_whole(right.kind)):
        raise _unsupported(node, f"div of {left.kind}")
    said = f"CAST({left.text} AS BIGINT) // CAST({right.text} AS BIGINT)"
    return Sql(f"(CASE WHEN {right.text} <> 0 THEN {said} END)", "bigint")


@rule(exp.Interval)
def _interval(node: exp.Interval, scope: Scope) -> Sql:
    raise _unsupported(node, "an interval by itself")


def _shifted(value: Sql, sign: str, interval: exp.Interval) -> Sql:
    unit = interval.args["unit"].name.upper().rstrip("S") if interval.args.get("unit") else ""
    amount = interval.this.name if isinstance(interval.this, exp.Literal) else ""
    if unit not in ("DAY", "HOUR", "MINUTE", "SECOND", "WEEK", "MONTH", "YEAR") or not amount.isdigit():
        raise Unsupported("an interval of other than a whole number")
    if value.kind == "date" and unit in ("DAY", "WEEK", "MONTH", "YEAR"):
        return Sql(f"CAST({value.text} {sign} INTERVAL {amount} {unit} AS DATE)", "date")
    if value.kind == "timestamp":
        return Sql(f"({value.text} {sign} INTERVAL {amount} {unit})", "timestamp")
    raise Unsupported(f"an interval beside {value.kind}")


@rule(exp.BitwiseAnd)
def _bits(node: exp.BitwiseAnd, scope: Scope) -> Sql:
    left, right = expression(node.left, scope), expression(node.right, scope)
    if not (kinds.is_whole(left.kind) and kinds.is_whole(right.kind)):
        raise _unsupported(node)
    wide = kinds.common((left.kind, right.kind))
    return Sql(f"({left.cast(wide).text} & {right.cast(wide).text})", wide)


def merged(values: list[Sql]) -> tuple[list[Sql], str]:
    """Return branches in their common type."""
    kind = kinds.common(v.kind for v in values)
    return [v if v.kind == VOID and kind == VOID else v.cast(kind) for v in values], kind


@rule(exp.Case)
def _case(node: exp.Case, scope: Scope) -> Sql:
    tested = node.args.get("this")
    arms = node.args["ifs"]
    default = node.args.get("default")
    values = [expression(a.args["true"], scope) for a in arms] + ([expression(default, scope)] if default else [])
    values, kind = merged(values)
    parts = []
    for arm, value in zip(arms, values, strict=False):
        if tested is None:
            condition = expression(arm.this, scope)
            if condition.kind not in ("boolean", VOID):
                raise _unsupported(node, "WHEN of other than a condition")
            parts.append(f"WHEN {condition.text} THEN {value.text}")
        else:
            one, two = alike([expression(tested, scope), expression(arm.this, scope)])
            parts.append(f"WHEN {one.text} = {two.text} THEN {value.text}")
    last = f" ELSE {values[-1].text}" if default else ""
    return Sql(f"(CASE {' '.join(parts)}{last} END)", kind)


@rule(exp.If)
def _if(node: exp.If, scope: Scope) -> Sql:
    otherwise = node.args.get("false")
    values, kind = merged([expression(n, scope) for n in (node.args["true"], otherwise) if n is not None])
    condition = expression(node.this, scope)
    if condition.kind not in ("boolean", VOID):
        raise _unsupported(node, "if() of other than a condition")
    last = f" ELSE {values[1].text}" if len(values) > 1 else ""
    return Sql(f"(CASE WHEN {condition.text} THEN {values[0].text}{last} END)", kind)


@rule(exp.Coalesce)
def _coalesce(node: exp.Coalesce, scope: Scope) -> Sql:
    values, kind = merged([expression(n, scope) for n in (node.this, *node.expressions)])
    return Sql(f"coalesce({', '.join(v.text for v in values)})", kind)


@rule(exp.Nullif)
def _nullif(node: exp.Nullif, scope: Scope) -> Sql:
    value, other = alike([expression(node.this, scope), expression(node.expression, scope)])
    return Sql(f"nullif({value.text}, {other.text})", value.kind)


@rule(exp.Greatest, exp.Least)
def _extreme(node: exp.Func, scope: Scope) -> Sql:
    values, kind = merged([expression(n, scope) for n in (node.this, *node.expressions)])
    word = "greatest" if isinstance(node, exp.Greatest) else "least"
    return Sql(f"{word}({', '.join(v.text for v in values)})", kind)


@rule(exp.Cast, exp.TryCast)
def _cast(node: exp.Cast, scope: Scope) -> Sql:
    value, wanted = expression(node.this, scope), spark_name(node.to)
    return cast(value, wanted, node)


def cast(value: Sql, wanted: str, node: exp.Expr) -> Sql:
    """Return a value in another type, null where it has none; texts only where both engines read them alike."""
    kind = value.kind
    if kind == wanted:
        return Sql(value.text, kind)
    if kind == VOID:
        return Sql(f"CAST(NULL AS {kinds.duck(wanted)})", wanted)
    if wanted == "string":
        return _as_text(value, node)
    if kind == "string":
        return _of_text(value, wanted, node)
    if kind.startswith("array<") and wanted.startswith("array<") and kinds.element(kind) == VOID:
        return Sql(f"CAST({value.text} AS {kinds.duck(wanted)})", wanted)
    if (kind, wanted) in (("timestamp", "date"), ("date", "timestamp")):
        return Sql(f"CAST({value.text} AS {kinds.duck(wanted)})", wanted)
    if wanted == "double" and kinds.is_number(kind):
        return Sql(f"CAST({value.text} AS DOUBLE)", wanted)
    parts, own = kinds.decimal(wanted), kinds.as_decimal(kind)
    if parts and own:  # halves away from zero, null where it does not fit
        return Sql(f"TRY_CAST({value.text} AS {kinds.duck(wanted)})", wanted)
    if kinds.is_whole(kind) and kinds.is_whole(wanted):
        return Sql(f"CAST({value.text} AS {kinds.duck(wanted)})", wanted)  # what Spark would wrap around stops the query
    if parts and kind == "double":  # as Spark: of the shortest text of the double, halves away from zero
        return Sql(f"TRY_CAST(ledger_written({value.text}) AS {kinds.duck(wanted)})", wanted)
    if kinds.decimal(kind) and kinds.is_whole(wanted):
        return Sql(f"CAST(trunc({value.text}) AS {kinds.duck(wanted)})", wanted)
    if kind == "boolean" and kinds.is_whole(wanted):
        return Sql(f"CAST({value.text} AS {kinds.duck(wanted)})", wanted)
    if wanted == "binary" and kind == "string":
        return Sql(f"encode({value.text})", wanted)
    raise _unsupported(node, f"a cast from {kind} to {wanted}")


def _as_text(value: Sql, node: exp.Expr) -> Sql:
    if value.kind in ("double", "float", "binary") or value.kind.startswith(("array", "struct", "map")):
        raise _unsupported(node, f"a cast from {value.kind} to string")
    parts = kinds.decimal(value.kind)
    if value.kind in ("date", "timestamp"):
        return Sql(f"ledger_{value.kind}_text({value.text})", "string")
    if parts and parts[0] == parts[1]:  # DuckDB leaves the zero before the point out where the type has no place for it
        return Sql(f"replace(replace('+' || CAST({value.text} AS VARCHAR), '+-.', '-0.'), '+', CASE WHEN abs({value.text}) = {value.text} THEN '0' ELSE '' END)", "string")
    return Sql(f"CAST({value.text} AS VARCHAR)", "string")


def _of_text(value: Sql, wanted: str, node: exp.Expr) -> Sql:
    said = value.text
    if wanted == "binary":
        return Sql(f"encode({said})", wanted)
    if wanted == "date":
        return _guarded(said, _DAY_OR_MORE, f"TRY_CAST(substring({said}, 1, 10) AS DATE)", wanted)
    if wanted == "timestamp":
        return _guarded(said, _MOMENT, f"ledger_moment({said})", wanted)
    if wanted == "boolean":
        return _guarded(said, _TRUTH, f"TRY_CAST({said} AS BOOLEAN)", wanted)
    if kinds.is_whole(wanted):
        return _guarded(said, _WHOLE, f"TRY_CAST({said} AS {kinds.duck(wanted)})", wanted)
    if kinds.decimal(wanted):
        plain = f"CASE WHEN regexp_matches({said}, '[eE]') THEN ledger_plain({said}) ELSE {said} END"
        return _guarded(said, _NUMBER, f"TRY_CAST({plain} AS {kinds.duck(wanted)})", wanted)
    raise _unsupported(node, f"a cast from string to {wanted}")


def _guarded(said: str, pattern: str, then: str, kind: str) -> Sql:
    """Return a cast of a text; a text that is not of the one common form stops the query."""
    fits = f"regexp_matches({said}, {text(pattern)})"
    odd = f"error('a text that only one engine reads as {kind}')"
    return Sql(f"(CASE WHEN {said} IS NULL THEN NULL WHEN {fits} THEN {then} ELSE CAST({odd} AS {kinds.duck(kind)}) END)", kind)


_NAMES = {
    "TEXT": "string", "VARCHAR": "string", "CHAR": "string", "BOOLEAN": "boolean", "TINYINT": "tinyint",
    "SMALLINT": "smallint", "INT": "int", "BIGINT": "bigint", "DOUBLE": "double", "FLOAT": "float", "DATE": "date",
    "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamp", "TIMESTAMPLTZ": "timestamp", "BINARY": "binary",
}  # fmt: skip


def spark_name(node: exp.DataType) -> str:
    """Return what Spark calls a type that a query names."""
    word = node.this.name if hasattr(node.this, "name") else str(node.this)
    if word == "DECIMAL":
        sizes = [int(p.this.name) for p in node.expressions] or [10]
        return named((sizes[0], sizes[1] if len(sizes) > 1 else 0))
    if word == "ARRAY" and node.expressions:
        return f"array<{spark_name(node.expressions[0])}>"
    if word in ("VARCHAR", "CHAR") and node.expressions:
        raise Unsupported(f"the type {word.lower()}")
    if word not in _NAMES:
        raise Unsupported(f"the type {word.lower()}")
    return _NAMES[word]


@rule(exp.Bracket)
def _item(node: exp.Bracket, scope: Scope) -> Sql:
    whole, [key] = expression(node.this, scope), node.expressions
    if whole.kind.startswith("map<"):
        return Sql(f"({whole.text})[{expression(key, scope).text}]", kinds.map_of(whole.kind)[1])
    raise _unsupported(node, f"an item of {whole.kind}")


@rule(exp.Struct)
def _struct(node: exp.Struct, scope: Scope) -> Sql:
    parts = []
    for number_, item in enumerate(node.expressions, 1):
        title = item.this.name if isinstance(item, exp.PropertyEQ) else item.alias_or_name or f"col{number_}"
        parts.append((title, expression(item, scope)))
    said = ", ".join(f"{name(n)} := {v.text}" for n, v in parts)
    return Sql(f"struct_pack({said})", f"struct<{','.join(f'{n}:{v.kind}' for n, v in parts)}>")
