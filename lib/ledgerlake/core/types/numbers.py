"""Whole numbers and decimals: read exactly or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal

from ledgerlake.core.types.base import BLANKS, ColumnType

PLAIN = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)"
WITH_EXPONENT = PLAIN + r"[eE][+-]?[0-9]{1,4}"
_EXACT = Context(prec=100_000)
_DIGITS_MAX = 20  # one more than the largest value has


@dataclass(frozen=True)
class Whole(ColumnType[int]):
    """Whole numbers of so many bits beside the sign; ``30.0`` is 30, ``30.5`` and ``3e1`` are none.

    An exponent is how spreadsheets and floats write long numbers whose digits they lost.
    """

    name: str
    spark: str
    delta: str
    arrow: str
    snowflake: str
    bits: int
    grammar: str = r"[+-]?[0-9]+([.]0*)?"
    refusals: tuple[tuple[str, str], ...] = field(init=False)
    unlike: str = field(init=False)

    def __post_init__(self) -> None:
        """Say what is wrong in the type's own name."""
        object.__setattr__(self, "unlike", f"not {'an' if self.name[0] in 'aeiou' else 'a'} {self.name}")
        refusals = (
            (self.grammar, f"outside the range of {self.name}"), (PLAIN, "has decimals"),
            (WITH_EXPONENT, "written with an exponent"), BLANKS,
        )  # fmt: skip
        object.__setattr__(self, "refusals", refusals)

    def _value(self, text: str) -> int | None:
        digits = text.partition(".")[0].lstrip("+-").lstrip("0") or "0"
        value = int(digits[:_DIGITS_MAX]) * (-1 if text[0] == "-" else 1)
        return value if -(1 << self.bits) <= value < 1 << self.bits else None

    def canonical(self, value: int) -> str:
        """Return the digits, with ``-`` where it is negative."""
        return str(value)


@dataclass(frozen=True)
class Decimals(ColumnType[Decimal]):
    """Decimals of at most ``precision`` digits, ``scale`` of them after the point: plain, or with an exponent.

    ``fitting`` are the plain texts with no decimal beyond the scale but zeros: told from the text,
    because a value that was read at 38 digits cannot show what was rounded away.
    """

    precision: int
    scale: int
    name: str = field(init=False)
    fitting: str = field(init=False)
    refusals: tuple[tuple[str, str], ...] = field(init=False)
    unlike: str = field(init=False)
    grammar = f"{PLAIN}([eE][+-]?[0-9]{{1,4}})?"
    arrow = "decimal128"

    def __post_init__(self) -> None:
        """Spell the type, and what does not fit it."""
        name, scale = f"decimal({self.precision},{self.scale})", self.scale
        some = rf"[0-9]{{1,{scale}}}0*" if scale else "0+"
        fitting = rf"[+-]?([0-9]+([.][0-9]{{0,{scale}}}0*)?|[.]{some})"
        refusals = (
            (fitting, f"more digits than {name}"), (PLAIN, f"more decimals than {name}"),
            (WITH_EXPONENT, f"not exact in {name}"), BLANKS,
        )  # fmt: skip
        told = {"name": name, "fitting": fitting, "refusals": refusals, "unlike": f"not a {name}"}
        for attribute, value in told.items():
            object.__setattr__(self, attribute, value)

    @property
    def spark(self) -> str:  # type: ignore[override]
        """Return the name in Spark SQL."""
        return self.name

    @property
    def delta(self) -> str:  # type: ignore[override]
        """Return the name in Delta's schemas."""
        return self.name

    @property
    def snowflake(self) -> str:  # type: ignore[override]
        """Return the name in Snowflake."""
        return f"NUMBER({self.precision},{self.scale})"

    def _value(self, text: str) -> Decimal | None:
        value = Decimal(text)
        if not value:
            return Decimal(0).scaleb(-self.scale)
        if value.adjusted() >= self.precision - self.scale or _decimals(value) > self.scale:
            return None
        return value.quantize(Decimal(1).scaleb(-self.scale), context=_EXACT)

    def canonical(self, value: Decimal) -> str:
        """Return all decimals of the type, never an exponent."""
        return f"{value:.{self.scale}f}"


def _decimals(value: Decimal) -> int:
    """Return how many decimals a number needs; below zero where it ends in zeros before the point."""
    _, digits, exponent = value.as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    assert isinstance(exponent, int), "the grammar knows no infinity"
    return -exponent - (len(digits) - len(kept))
