"""How many records a day is asked for: ranges by type of day, decided by the day itself."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import lru_cache
from typing import Literal

from pydantic import Field, model_validator

from ledgerlake.errors import ConfigError
from ledgerlake.feeds.base import Options

SATURDAY = 5


class Volumes(Options):
    """Inclusive ranges by type of day; ``country`` (ISO 3166) and ``subdivision`` choose the holidays."""

    weekday: tuple[int, int]
    weekend: tuple[int, int]
    holiday: tuple[int, int]
    country: str = Field(pattern=r"^[A-Z]{2}$")
    subdivision: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Volumes:
        for name in ("weekday", "weekend", "holiday"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name}: give [lowest, highest], both above 0")
        return self

    def kind_of(self, day: date) -> Literal["weekday", "weekend", "holiday"]:
        """Return the type of a day; a holiday on a weekend is a holiday.

        Raises :class:`ConfigError` where the calendar is missing or does not know the country.
        """
        if day in _holidays(self.country, self.subdivision, day.year):
            return "holiday"
        return "weekend" if day.weekday() >= SATURDAY else "weekday"

    def of(self, day: date, seed: int) -> int:
        """Return the day's volume: always the same for one day and seed."""
        low, high = getattr(self, self.kind_of(day))
        digest = hashlib.sha256(f"{seed}|{day.isoformat()}".encode()).digest()
        return int(low) + int.from_bytes(digest[:8], "big") % (int(high) - int(low) + 1)


@lru_cache(maxsize=64)
def _holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    try:
        import holidays
    except ImportError:
        raise ConfigError("the holiday calendar is not installed", then="pip install 'ledgerlake[calendar]'") from None
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError:
        raise ConfigError(
            f"no holiday calendar for {country} {subdivision or ''}".rstrip(), then="use another"
        ) from None
