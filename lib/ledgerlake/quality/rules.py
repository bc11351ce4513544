"""The rules between a suite's keyword arguments, each refused with file, line and fix."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from ledgerlake.errors import ConfigError
from ledgerlake.quality.document import Document
from ledgerlake.quality.literals import Bound, parse_bound
from ledgerlake.quality.registry import REGISTRY

_SEVERITIES = ("critical", "warning", "info")  # of Great Expectations; ours is ``on_fail``
# Great Expectations writes null for these where they are not given; elsewhere it refuses null.
_NULLABLE = ("min_value", "max_value", "row_condition", "condition_parser", "or_equal")


def check_severity(document: Document, index: int, severity: object) -> str:
    """Return Great Expectations' own severity, "critical" by default; raise ConfigError."""
    if severity is not None and severity not in _SEVERITIES:
        raise ConfigError(
            f"unknown severity {severity!r}",
            where=document.where(index, "severity"),
            then="use " + ", ".join(_SEVERITIES),
        )
    return "critical" if severity is None else str(severity)


def check_kwargs(document: Document, index: int, name: str, kwargs: object) -> None:
    """Check the arguments of expectation ``index`` of type ``name``; raise ConfigError."""
    if not isinstance(kwargs, dict):
        raise ConfigError("kwargs is an object", where=document.where(index, "kwargs"))
    required, optional = REGISTRY[name].required, REGISTRY[name].optional
    for key in required:
        if kwargs.get(key) is None:
            raise ConfigError(f"{name} needs {key}", where=document.where(index, "kwargs"))
    accepted = {**required, **optional}
    for key, value in kwargs.items():
        if key not in accepted:
            raise ConfigError(
                f"{name} has no argument {key!r}",
                where=document.where(index, key),
                then="use " + ", ".join(accepted),
            )
        absent = value is None and key in _NULLABLE
        if not absent and not accepted[key].accepts(value):
            raise ConfigError(f"{key} must be {accepted[key].wants}", where=document.where(index, key))
    _check_bounds(document, index, name, kwargs)
    _check_condition(document, index, kwargs)


def _check_bounds(document: Document, index: int, name: str, kwargs: Mapping[str, object]) -> None:
    if "min_value" not in REGISTRY[name].optional:
        return
    low, high = parse_bound(kwargs.get("min_value")), parse_bound(kwargs.get("max_value"))
    if low is None and high is None:
        raise ConfigError(f"{name} needs min_value, max_value or both", where=document.where(index, "kwargs"))
    if low is not None and high is not None and not _ordered(low, high):
        raise ConfigError(
            "min_value and max_value must be of one kind, the smaller one first",
            where=document.where(index, "min_value"),
        )


def _ordered(low: Bound, high: Bound) -> bool:
    if isinstance(low, datetime) and isinstance(high, datetime):
        return (low.tzinfo is None) == (high.tzinfo is None) and low <= high
    if isinstance(low, datetime) or isinstance(high, datetime):
        return False
    if isinstance(low, date) and isinstance(high, date):
        return low <= high
    if isinstance(low, date) or isinstance(high, date):
        return False
    return low <= high


def _check_condition(document: Document, index: int, kwargs: Mapping[str, object]) -> None:
    if (kwargs.get("row_condition") is None) != (kwargs.get("condition_parser") is None):
        raise ConfigError(
            'row_condition and "condition_parser": "spark" are given together',
            where=document.where(index, "kwargs"),
        )
