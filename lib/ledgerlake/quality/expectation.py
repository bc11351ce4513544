"""One expectation of a suite, frozen, with its arguments read by type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, cast

from ledgerlake.errors import NOWHERE, Where
from ledgerlake.quality.registry import REGISTRY, Kind

OnFail = Literal["warn", "quarantine", "block"]


@dataclass(frozen=True)
class Expectation:
    """One expectation; ``index`` is its place in the suite and ``where`` its file and line."""

    type: str
    kwargs: Mapping[str, object]
    on_fail: OnFail = "block"
    why: str = ""
    index: int = 0
    severity: str = "critical"
    where: Where = field(default=NOWHERE, compare=False)

    @property
    def kind(self) -> Kind:
        """Return what the registry says of this type."""
        return REGISTRY[self.type]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns the expectation names, in the order of its arguments."""
        single = [self.kwargs[k] for k in ("column", "column_A", "column_B") if k in self.kwargs]
        return tuple(str(name) for name in [*single, *self.sequence("column_list")])

    @property
    def label(self) -> str:
        """Return type and columns, as in ``expect_column_values_to_be_between(amount)``."""
        return f"{self.type}({','.join(self.columns)})"

    @property
    def mostly(self) -> Decimal:
        """Return the share of rows that must meet the expectation; 1 where none is given."""
        return Decimal(str(self.kwargs.get("mostly", 1)))

    def text(self, kwarg: str, default: str = "") -> str:
        """Return a string argument."""
        return str(self.kwargs.get(kwarg, default))

    def flag(self, kwarg: str, *, default: bool = False) -> bool:
        """Return a true-or-false argument."""
        return bool(self.kwargs.get(kwarg, default))

    def sequence(self, kwarg: str) -> Sequence[object]:
        """Return a list argument; empty where it is not given."""
        return cast("Sequence[object]", self.kwargs.get(kwarg, ()))
