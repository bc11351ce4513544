"""What every column type offers, and how a text is judged by its grammar."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

Value = TypeVar("Value")
ANY = r"[\s\S]*"
"""Any text, line ends included, in Python's and Java's regular expressions."""
BLANKS = (rf"[\x00-\x20]{ANY}|{ANY}[\x00-\x20]", "blanks around it")


@dataclass(frozen=True)
class Refusal:
    """Why a text is no value of a type; says what is wrong and never holds the text."""

    reason: str


class ColumnType(ABC, Generic[Value]):
    """One type of a contract; what names it elsewhere, and which texts are its values.

    ``grammar`` matches every text that may be a value, as a whole; a text that matches may still be
    none (a 30th of February). ``refusals`` are (texts, reason) in order: the first that matches a
    text that is no value says why, else the reason is ``unlike``. All are regular expressions that
    Python (with ``re.ASCII``) and Java read alike.
    """

    name: str
    spark: str
    delta: str
    arrow: str
    snowflake: str
    grammar: str
    refusals: tuple[tuple[str, str], ...] = ()
    unlike: str

    def parse(self, text: str) -> Value | Refusal:
        """Return the value that a text means, or why it means none."""
        value = self._value(text) if matches(self.grammar, text) else None
        return Refusal(self.reason(text)) if value is None else value

    def reason(self, text: str) -> str:
        """Return why a text is no value."""
        return next((says for pattern, says in self.refusals if matches(pattern, text)), self.unlike)

    @abstractmethod
    def _value(self, text: str) -> Value | None:
        """Return the value of a text that fits the grammar, None where it has none after all."""

    @abstractmethod
    def canonical(self, value: Value) -> str:
        """Return the one text of a value, of which ids and hashes are made."""


def matches(pattern: str, text: str) -> bool:
    """Say whether a regular expression matches a text as a whole."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
