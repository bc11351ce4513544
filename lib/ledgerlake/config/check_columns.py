"""Proves that the rules of a column can hold: bounds and values of its type, patterns, options, references."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ledgerlake.config.models import Column, Pipeline
from ledgerlake.core.types import Refusal, column_type, decimal_parts
from ledgerlake.core.types.moments import known_zone
from ledgerlake.errors import ConfigError, Where

_OTHERWISE_IN_JAVA = re.compile(r"(?<!\\)(\(\?(P|#|\()|\{,|\[\[|&&)|(?:^|(?<=[(|]))\{")
"""What Python's regular expressions have and Java's have not, or read otherwise: named groups, ``{,3}``, ``[[``, ``&&``."""
_PROPERTY = re.compile(r"\\[pP]\{\w+\}")
"""Java's classes of characters, which Python has not."""


def check_column_rules(pipeline: Pipeline, column: Column, at: Where) -> Iterator[ConfigError]:
    """Yield rules that could never hold, or never fail, as they are declared."""
    yield from _check_values(column, at)
    yield from _check_pattern(column, at)
    yield from _check_options(column, at)
    if column.currency and not decimal_parts(column.type):
        yield ConfigError("an amount with a `currency` is a decimal", where=at, then="declare `type: decimal(18,2)` or finer")
    parent = pipeline.tables.get(column.references.table) if column.references else None
    if parent and column.references and parent.key == (column.references.column,):
        wanted = parent.column(column.references.column).type
        if column_type(wanted).spark != column_type(column.type).spark:
            yield ConfigError(
                f"a {column.type} references a {wanted}: '007' and 7 would be one key", where=at,
                then=f"declare both of one type: `type: {wanted}`",
            )  # fmt: skip


def _check_values(column: Column, at: Where) -> Iterator[ConfigError]:
    given = [("min", column.min), ("max", column.max), *(("allowed", text) for text in column.allowed)]
    bad = [(key, text) for key, text in given if text is not None and isinstance(column.constant(text), Refusal)]
    for key, text in bad:
        refusal = column.constant(text)
        assert isinstance(refusal, Refusal), "only refused values are here"
        yield ConfigError(
            f"`{key}: {text}` is no {column.type}: {refusal.reason}", where=at,
            then="write it as a value of the column's type is written (docs/configuration.md)",
        )  # fmt: skip
    if column.type == "boolean" and (column.min is not None or column.max is not None):
        yield ConfigError("a boolean has no bounds", where=at, then="use `allowed`")
    if not bad and column.min is not None and column.max is not None and column.type != "boolean":
        kind = column_type(column.type, zone=column.zone)
        low, high = kind.parse(column.min), kind.parse(column.max)
        if not isinstance(low, Refusal) and not isinstance(high, Refusal) and low > high:
            yield ConfigError("`min` is above `max`: no value fits", where=at, then="exchange them")


def _check_pattern(column: Column, at: Where) -> Iterator[ConfigError]:
    if column.pattern is None:
        return
    if column.type != "string":
        yield ConfigError("`pattern` belongs to strings", where=at, then="use `min`, `max` or `allowed`")
    try:
        re.compile(_PROPERTY.sub(r"\\w", column.pattern))
        odd = _OTHERWISE_IN_JAVA.search(column.pattern)
        problem = f"{odd[0]!r} is read otherwise by Java" if odd else None
    except (re.error, RecursionError, OverflowError) as error:
        problem = str(error)
    if problem:
        yield ConfigError(
            f"`pattern` is no regular expression: {problem}", where=at, then="write one that Java and Python read alike"
        )


def _check_options(column: Column, at: Where) -> Iterator[ConfigError]:
    counted = column.format != "auto"
    if column.type != "timestamp":
        used = [("format", counted), ("zone", column.zone is not None), ("finer", column.finer != "refuse")]
        for key in (key for key, given in used if given):
            yield ConfigError(
                f"`{key}` belongs to timestamps", where=at, then="remove it, or declare `type: timestamp`"
            )
    elif counted and (column.zone or column.finer != "refuse"):
        yield ConfigError("`zone` and `finer` are of texts: an epoch counts in UTC", where=at, then="remove them")
    if column.zone is not None and known_zone(column.zone) is None:
        yield ConfigError(
            f"unknown zone {column.zone!r}", where=at, then="name a place: `zone: Europe/Berlin`; UTC needs none"
        )
    if column.currency and not column.type.startswith("decimal"):
        yield ConfigError("`currency` belongs to decimals", where=at, then="declare `type: decimal(p,s)`")
