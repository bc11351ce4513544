"""Days and moments: real calendar days of the years 1 to 9999, moments to the microsecond, zones by number or place.

Sources: ISO 8601, RFC 3339. Letters for zones are refused, for they mean several: BST is London's
summer and Bangladesh, CST is Chicago, Havana and Shanghai.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledgerlake.core.types.base import ANY, BLANKS, ColumnType, matches

DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6}0*)?"
LONG_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?"
OFFSET = r" ?(Z|UTC|GMT|[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))"
REGIONS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific"
PLACE = rf" ?({REGIONS})/[A-Za-z0-9_/+-]+"
# An offset, or rounding, could carry the first and the last day of all years out of them.
_INSIDE = rf"(?!0000|0001-01-01{ANY}([+]|/)|9999-12-31{ANY}([0-9] ?-|/|[.]9{{6}}[5-9]))"
_SHORT = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_YEARS = (rf"([+-]?[0-9]{{5,}}|[+-][0-9]+|0000)-[0-9]{ANY}", "outside the years 1 to 9999")
_NO_DAY = (rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({ANY})", "no such day")


@dataclass(frozen=True)
class Date(ColumnType[date]):
    """A calendar day; midnight of a day is the day, which is how databases without a date type write one."""

    name = "date"
    spark = "date"
    delta = "date"
    arrow = "date32[day]"
    snowflake = "DATE"
    grammar = rf"(?!0000){DAY}([T ]00:00(:00([.]0+)?({OFFSET})?)?)?"
    refusals = (
        _YEARS, (grammar, "no such day"), (rf"{DAY}[T ]{_SHORT}{ANY}", "has a time of day"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "no such day"), BLANKS,
    )  # fmt: skip
    unlike = "not a date"

    def _value(self, text: str) -> date | None:
        return _day(text[:10])

    def canonical(self, value: date) -> str:
        """Return ``YYYY-MM-DD``."""
        return value.isoformat()


@dataclass(frozen=True)
class Timestamp(ColumnType[datetime]):
    """A moment: a day, or a day and its time; without an offset in UTC, or in the ``zone`` that the column declares.

    ``finer``: what has parts of a microsecond is refused, or rounded (halves up). A local time that
    its zone skips or repeats has no one moment, and is refused.
    """

    zone: str | None = None
    finer: str = "refuse"
    local: str = field(init=False)
    plain: str = field(init=False)
    placed: str = field(init=False)
    grammar: str = field(init=False)
    refusals: tuple[tuple[str, str], ...] = field(init=False)
    name = "timestamp"
    spark = "timestamp"
    delta = "timestamp"
    arrow = "timestamp[us, tz=UTC]"
    snowflake = "TIMESTAMP_NTZ(6)"  # always UTC: sessions run with TIMEZONE = UTC
    unlike = "not a timestamp"

    def __post_init__(self) -> None:
        """Build the grammar: ``plain`` texts have an offset or need none, ``local`` and ``placed`` ones need their zone's rules."""
        clock = LONG_CLOCK if self.finer == "round" else CLOCK
        local = rf"{_INSIDE}{DAY}([T ]({clock}|{_SHORT}))?"
        plain = (
            rf"{_INSIDE}{DAY}[T ]{clock}{OFFSET}"
            if self.zone
            else rf"{_INSIDE}{DAY}([T ]({clock}({OFFSET})?|{_SHORT}))?"
        )
        placed = rf"{_INSIDE}{DAY}[T ]{clock}{PLACE}"
        told = {
            "local": local,
            "plain": plain,
            "placed": placed,
            "grammar": "|".join([plain, placed, *([local] if self.zone else [])]),
        }
        for attribute, value in told.items():
            object.__setattr__(self, attribute, value)
        object.__setattr__(self, "refusals", self._refusals())

    def _refusals(self) -> tuple[tuple[str, str], ...]:
        odd = "unknown zone, or a local time that its zone skips or repeats"
        here = ((self.local, f"no such day, or a local time that {self.zone} skips or repeats"),) if self.zone else ()
        return (
            _YEARS, (rf"(?!{_INSIDE}){DAY}{ANY}", _YEARS[1]), *here, (self.placed, odd), (self.plain, "no such day"),
            (rf"{DAY}[T ]{_SHORT}:[0-5][0-9][.][0-9]{{7}}{ANY}", "finer than a microsecond"),
            (rf"{DAY}[T ]{_SHORT}(:[0-5][0-9]([.][0-9]+)?)?[^:0-9.]{ANY}", "unknown zone"),
            (rf"{DAY}[T ][0-9]{ANY}", "no such time of day"), (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "no such day"), BLANKS,
        )  # fmt: skip

    def _value(self, text: str) -> datetime | None:
        if self.zone and matches(self.local, text):
            return _in_zone(_local(text), self.zone)
        cut = next((n for n in range(10, len(text)) if text[n] not in "T 0123456789:."), len(text))
        local, offset = _local(text[:cut].rstrip()), text[cut:]
        if local is None:
            return None
        return _in_zone(local, offset) if "/" in offset else _in_utc(local, offset)

    def canonical(self, value: datetime) -> str:
        """Return ``YYYY-MM-DD HH:MM:SS`` in UTC, then of a fraction what is not zero."""
        text = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        return text.rstrip("0") if "." in text else text


@dataclass(frozen=True)
class Counted(ColumnType[datetime]):
    """A moment as a whole number of seconds, milliseconds or microseconds since 1970, within sane years.

    Where a column declares no bounds of its own the years 1900 to 2200 are sane: seconds that are
    milliseconds lie in the year 58000.
    """

    format: str
    bounded: tuple[bool, bool] = (False, False)
    refusals: tuple[tuple[str, str], ...] = field(init=False)
    unlike: str = field(init=False)
    name = "timestamp"
    spark = "timestamp"
    delta = "timestamp"
    arrow = "timestamp[us, tz=UTC]"
    snowflake = "TIMESTAMP_NTZ(6)"
    grammar = r"[+-]?[0-9]+([.]0*)?"

    def __post_init__(self) -> None:
        """Say what is wrong in the unit's own name."""
        unit = self.format.removeprefix("epoch_")
        object.__setattr__(self, "unlike", f"not a whole number of {unit}")
        since, until = self.years
        object.__setattr__(
            self, "refusals", ((self.grammar, f"as {unit} outside the years {since} to {until}"), BLANKS)
        )

    @property
    def years(self) -> tuple[int, int]:
        """Return the first and the last year that are taken."""
        return 1 if self.bounded[0] else 1900, 9999 if self.bounded[1] else 2200

    @property
    def units(self) -> tuple[int, int]:
        """Return the lowest and the highest number that are taken."""
        since, until = self.years
        last = (datetime(until, 12, 31) - _EPOCH).days + 1
        return (datetime(since, 1, 1) - _EPOCH).days * 86_400 * self.per_second, last * 86_400 * self.per_second - 1

    @property
    def per_second(self) -> int:
        """Return how many units make a second."""
        return {"epoch_seconds": 1, "epoch_millis": 1_000, "epoch_micros": 1_000_000}[self.format]

    def _value(self, text: str) -> datetime | None:
        digits = text.partition(".")[0].lstrip("+-").lstrip("0") or "0"
        number = (-1 if text[0] == "-" else 1) * int(digits[:_DIGITS_MAX])
        low, high = self.units
        micros = number * (1_000_000 // self.per_second)
        return (_EPOCH + timedelta(microseconds=micros)).replace(tzinfo=UTC) if low <= number <= high else None

    def canonical(self, value: datetime) -> str:
        """Return the text of the moment."""
        return Timestamp().canonical(value)


_EPOCH = datetime(1970, 1, 1)
_DIGITS_MAX = 20  # more than any moment has


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _local(text: str) -> datetime | None:
    """Return the time that a text says before any zone; rounded to the microsecond."""
    day, clock = _day(text[:10]), text[11:].partition(".")
    if day is None:
        return None
    hour, minute, second = [*map(int, filter(None, clock[0].split(":"))), 0, 0, 0][:3]
    fraction = clock[2][:7].ljust(7, "0")
    micros = int(fraction[:6]) + (fraction[6] >= "5")
    try:
        return datetime(day.year, day.month, day.day, hour, minute, second) + timedelta(microseconds=micros)
    except OverflowError:
        return None


def _in_utc(local: datetime, offset: str) -> datetime:
    if offset[:1] not in ("+", "-"):
        return local.replace(tzinfo=UTC)
    digits = offset[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return (local - shift if offset[0] == "+" else local + shift).replace(tzinfo=UTC)


def _in_zone(local: datetime | None, name: str) -> datetime | None:
    """Return the one moment of a local time; None where the zone is unknown, skips it or repeats it."""
    zone = known_zone(name)
    if local is None or zone is None:
        return None
    offsets = {local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    shift = offsets.pop()
    if offsets or shift is None:
        return None
    try:
        return (local - shift).replace(tzinfo=UTC)
    except OverflowError:
        return None


@lru_cache(maxsize=64)
def known_zone(name: str) -> ZoneInfo | None:
    """Return the zone of a place (``Europe/Berlin``), None where there is none of that name."""
    if not matches(PLACE, name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
