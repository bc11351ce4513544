"""The order of delivered objects, as text that plain string comparison puts in order.

Order is by parts: folders, then words and numbers inside a name (``export_9`` before ``export_10``,
``9/`` before ``10/``). Each part ends with a blank, which ranks below every character of a part:
characters from the blank to ``!``, and below it, follow a ``!``. A name that tells its day is ordered by it first, then
by what follows the day (a time, a number), then by what stands before it. A name that can be read in two ways is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, field_validator

from ledgerlake.errors import SourceError, Where
from ledgerlake.landing.manifest import LandedObject

_DAY = re.compile(
    r"(?<!\d)(?P<y>\d{4})(?:(?P<m>\d\d)(?P<d>\d\d)(?=(?:\d{4}|\d{6}|\d{9})?(?!\d))"
    r"|[-_./](?P<m2>\d{1,2})[-_./](?P<d2>\d{1,2})(?!\d))"
)
"""20260301, with a time right behind it or not; 2026-03-01, 2026/3/1, 2026_03_01."""
_DAY_LAST = re.compile(r"(?<!\d)\d{1,2}(?:([-_.])\d{1,2}\1\d{4}|-\d{1,2}-\d{2})(?!\d)")
"""03-04-2026: March or April? Also 03-04-26, which may begin with a day, a month or a year."""
_PART = re.compile(r"\d+|[^\d/]+|/")
_LOW = re.compile(r"[\x00-!]")
_DATES = ("year", "month", "day", "hour", "minute", "second")
_THEN = "declare `order:` on the source: name, modified, or a pattern that names the parts of the order"


class Pattern(BaseModel):
    """A regular expression over an object's name: groups year, month, day, hour, minute, second, then ``order``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str

    @field_validator("pattern")
    @classmethod
    def _has_groups(cls, text: str) -> str:
        try:
            groups = re.compile(text).groupindex
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if not groups or not set(groups) <= {*_DATES, "order"}:
            raise ValueError(f"the pattern needs groups of these names, and no others: {', '.join((*_DATES, 'order'))}")
        return text


Order: TypeAlias = Literal["auto", "name", "modified"] | Pattern


def order_of(options: Mapping[str, Any]) -> Order:
    """Return the order that a source's options declare."""
    declared = options.get("order", "auto")
    return Pattern(**declared) if isinstance(declared, dict) else declared


def place_of(item: LandedObject, order: Order) -> str:
    """Return an object's place among the others of its table; a newer delivery of a name ranks above an older one."""
    return f"{_place(item, order)}{item.delivery:04d}"


def _place(item: LandedObject, order: Order) -> str:
    if order == "modified":
        return f"{item.extracted_at.astimezone(UTC):%Y%m%dT%H%M%S%f} {natural(item.source_name)}"
    if order == "auto":
        return auto_place(item.source_name)
    if order == "name":
        return natural(item.source_name)
    found = _match(order, item.source_name)
    dated = "".join(f"{int(part):04d}" for g in _DATES if (part := found.get(g)) is not None)
    return f"{dated} {natural(found.get('order') or '')}{natural(item.source_name)}"


def auto_place(name: str) -> str:
    """Return the place that a name tells: its day, what follows the day, the name.

    Raises :class:`SourceError` where the name can be read in two ways.
    """
    days = list(_days(name))
    if len({day for day, _, _ in days}) > 1:
        raise SourceError("its name holds two dates, and either may be its order", where=Where(file=name), then=_THEN)
    if not days and _DAY_LAST.search(name):
        raise SourceError("the date in its name can be read in two ways", where=Where(file=name), then=_THEN)
    if not days:
        return f" {natural(name)}"
    day, start, end = days[-1]
    return f"{day.isoformat()} {natural(name[end:])}{natural(name[:start])}"


def day_of(name: str, order: Order = "auto") -> date | None:
    """Return the day that a name tells, None where it tells none or several."""
    if isinstance(order, Pattern):
        found = re.search(order.pattern, name)
        parts = [found.groupdict().get(g) for g in _DATES[:3]] if found else [None]
        try:
            return date(*(int(p) for p in parts)) if all(parts) else None  # type: ignore[arg-type]
        except ValueError:
            return None
    days = {day for day, _, _ in _days(name)}
    return days.pop() if len(days) == 1 else None


def check_name(name: str, order: Order) -> None:
    """Raise :class:`SourceError` where a name does not tell the order that is declared."""
    if isinstance(order, Pattern):
        _match(order, name)
    elif order == "auto":
        auto_place(name)


def natural(text: str) -> str:
    """Return text whose plain order is the natural order of its parts: numbers by value, folders one by one."""
    return "".join(map(_ranked, _PART.findall(text))) + " "


def ranked(text: str) -> str:
    """Return text that ends with what ranks below every character, so that ``v1`` stands before ``v10`` and ``v1!``."""
    return _LOW.sub(lambda found: "!" + found.group(), text) + " "


def _ranked(part: str) -> str:
    if part == "/":
        return " "
    if part[0].isdecimal():
        digits = "".join(str(int(c)) for c in part).lstrip("0")
        return f"{len(digits):02d}{digits}" if len(digits) < 100 else _LOW.sub(r"!\g<0>", part)
    return _LOW.sub(r"!\g<0>", part)


def _days(name: str) -> Iterator[tuple[date, int, int]]:
    """Yield each day that a name tells, where it begins and where it ends."""
    for found in _DAY.finditer(name):
        try:
            day = date(int(found["y"]), int(found["m"] or found["m2"]), int(found["d"] or found["d2"]))
        except ValueError:
            continue
        if 1900 <= day.year < 2200:
            yield day, found.start(), found.end()


def _match(order: Pattern, name: str) -> dict[str, str | None]:
    found = re.search(order.pattern, name)
    if not found:
        raise SourceError(
            "its name does not fit the declared `order: {pattern: …}`", where=Where(file=name), then=_THEN
        )
    return found.groupdict()
