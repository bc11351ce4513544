"""Fixed-point arithmetic as Snowflake does it, for the DuckDB behind the local server.

DuckDB divides and averages in floating point, and the stand-in sums everything as DOUBLE. Here
sums of numbers stay numbers, and quotients and averages of fixed-point operands are exact, at
Snowflake's own scale: ``max(s, min(s + 6, 12))`` of the dividend's scale s, rounded half up.
Source of the rule: Snowflake documentation, "Arithmetic operators", division.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from sqlglot import exp

QUOTIENT = "_fs_quotient"
BARE = "bare"
DIGITS_MAX = 38
_INTEGERS = {"BIGINT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT"}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

Describe = Callable[[str], Sequence[str] | None]
"""Returns the column types of a query, None where it cannot be bound by itself."""


def quotient(dividend: str, divisor: str, scale: int) -> str:
    """Return ``dividend / divisor`` as text with ``scale`` digits; ArithmeticError as Snowflake has it."""
    context = Context(prec=2 * DIGITS_MAX, rounding=ROUND_HALF_UP)
    if Decimal(divisor) == 0:
        raise ZeroDivisionError("Division by zero")
    exact = context.divide(Decimal(dividend), Decimal(divisor))
    rounded = exact.quantize(Decimal(1).scaleb(-scale), context=context)
    if len(rounded.as_tuple().digits) > DIGITS_MAX:
        raise OverflowError("Number out of representable range")
    return format(rounded, "f")


def mark_bare(statement: exp.Expr) -> None:
    """Mark the aggregates whose argument the statement itself does not cast."""
    for aggregate in statement.find_all(exp.Sum, exp.Avg):
        if not isinstance(aggregate.this, exp.Cast):
            aggregate.meta[BARE] = True


def exact_numbers(statement: exp.Expr, describe: Describe) -> None:
    """Rewrite sums, averages and divisions of fixed-point numbers in place, innermost first."""
    selects = sorted(statement.find_all(exp.Select, bfs=False), key=lambda s: -s.depth)
    for select in selects:
        for node in reversed([*select.find_all(exp.Sum, exp.Avg, exp.Div, bfs=False)]):
            if node.find_ancestor(exp.Select) is select:
                _rewrite(node, select, describe)


def _rewrite(node: exp.Expr, select: exp.Select, describe: Describe) -> None:
    if node.meta.pop(BARE, False) and isinstance(node.this, exp.TryCast):
        if _scale(_types(select, [node.this.this], describe)) is None:
            return  # text, a variant, or a float: as the stand-in reads it
        node.set("this", node.this.this)
    if isinstance(node, exp.Sum):
        return
    operands = [node.this] if isinstance(node, exp.Avg) else [node.this, node.expression]
    if operands and isinstance(operands[0], exp.Distinct):
        operands = list(operands[0].expressions)
    scale = _scale(_types(select, operands, describe))
    if scale is None:
        return
    result = max(scale, min(scale + 6, 12))
    if isinstance(node, exp.Div):
        node.replace(_divided(node.this, node.expression, result))
        return
    whole = node.parent if isinstance(node.parent, exp.Window) and node.arg_key == "this" else node
    total, count = (_instead(whole, node, kind) for kind in (exp.Sum, exp.Count))
    whole.replace(_divided(total, exp.func("NULLIF", count, exp.Literal.number(0)), result))


def _instead(whole: exp.Expr, average: exp.Expr, kind: type[exp.Expr]) -> exp.Expr:
    """Return a copy of ``whole``, an average or a window over it, with another aggregate in its place."""
    aggregate = kind(this=average.this.copy())
    if whole is average:
        return aggregate
    copied = whole.copy()
    copied.set("this", aggregate)
    return copied


def _divided(dividend: exp.Expr, divisor: exp.Expr, scale: int) -> exp.Expr:
    texts = [exp.cast(side.copy(), "VARCHAR") for side in (dividend, divisor)]
    call = exp.Anonymous(this=QUOTIENT, expressions=[*texts, exp.Literal.number(scale)])
    return exp.cast(call, f"DECIMAL({DIGITS_MAX},{scale})")


def _types(select: exp.Select, operands: Sequence[exp.Expr], describe: Describe) -> Sequence[str] | None:
    """Return the operands' types, as DuckDB binds them in the place where they stand."""
    probe = exp.select(*(exp.alias_(o.copy(), f"o{n}") for n, o in enumerate(operands)))
    for part in ("from_", "joins", "laterals", "windows"):
        if select.args.get(part):
            found = select.args[part]
            probe.set(part, [x.copy() for x in found] if isinstance(found, list) else found.copy())
    if any(operand.find(exp.AggFunc) for operand in operands) and select.args.get("group"):
        probe.set("group", select.args["group"].copy())
    withs = [w for s in (select, *_enclosing(select)) if (w := s.args.get("with_"))]
    for outer in withs:
        for cte in outer.expressions:
            probe = probe.with_(cte.alias, cte.this.copy(), copy=False)
    bound = probe.transform(lambda n: exp.Null() if isinstance(n, exp.Placeholder) else n, copy=False)
    return describe(bound.sql(dialect="duckdb"))


def _enclosing(select: exp.Expr) -> list[exp.Expr]:
    found, node = [], select.parent
    while node is not None:
        found.append(node)
        node = node.parent
    return found


def _scale(types: Sequence[str] | None) -> int | None:
    """Return the scale of the first of several fixed-point types, None where one is no such type."""
    scales = [0 if t in _INTEGERS else int(m[2]) if (m := _DECIMAL.fullmatch(t)) else None for t in types or ()]
    return None if not scales or None in scales else scales[0]
