"""The types that declared SQL gives, where they are certain; nothing is said where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.optimizer.annotate_types import annotate_types

_FAMILIES = {
    "date": (exp.DataType.Type.DATE,),
    "timestamp": (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPLTZ),
    "string": (exp.DataType.Type.TEXT, exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR),
    "boolean": (exp.DataType.Type.BOOLEAN,),
    "integer": (exp.DataType.Type.TINYINT, exp.DataType.Type.SMALLINT, exp.DataType.Type.INT, exp.DataType.Type.BIGINT),
}  # fmt: skip
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds}
UNKNOWN = "unknown"


def _difference(annotator: Any, node: exp.Expr) -> exp.Expr:
    """Times less times are intervals, which the library calls times; with an interval they stay times."""
    other = node.args["expression"]
    if isinstance(other, exp.Interval) or other.is_type(*_FAMILIES["integer"]):
        return cast("exp.Expr", annotator._annotate_binary(node))
    return cast("exp.Expr", annotator._set_type(node, exp.DataType.Type.UNKNOWN))


_RULES: dict[Any, Any] = {
    **Spark.EXPRESSION_METADATA,
    exp.DateTrunc: {"returns": exp.DataType.Type.DATE},  # Spark's trunc(); date_trunc() is another node
    exp.TimestampTrunc: {"returns": exp.DataType.Type.TIMESTAMP},
    exp.DateFromParts: {"returns": exp.DataType.Type.DATE},
    exp.Sub: {"annotator": _difference},
}


def typed(query: exp.Query, schema: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the columns that a qualified query gives, with their families; ``unknown`` where not certain."""
    annotated = _annotated(query, schema)
    return {p.alias_or_name: _family(p) for p in cast("exp.Query", annotated).selects}


def family_of(tree: exp.Expr, columns: Mapping[str, str]) -> str:
    """Return the family of an expression over a row; of an array the family of its elements."""
    query = exp.select(exp.alias_(tree.copy(), "x")).from_("a")
    for column in query.find_all(exp.Column):
        column.set("table", exp.to_identifier("a"))
    return _family(cast("exp.Query", _annotated(query, {"a": columns})).selects[0])


def _annotated(query: exp.Query, schema: Mapping[str, Mapping[str, str]]) -> exp.Expr:
    return annotate_types(query, schema=dict(schema), expression_metadata=_RULES, dialect="spark")


def _family(projection: exp.Expr) -> str:
    kind = projection.type
    if kind is not None and kind.this == exp.DataType.Type.ARRAY:
        kind = kind.expressions[0] if kind.expressions else None
    return _FAMILY_OF.get(kind.this, UNKNOWN) if kind is not None else UNKNOWN
