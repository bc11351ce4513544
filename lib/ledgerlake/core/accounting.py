"""The accounting identity: read = applied + superseded + duplicate + quarantined."""

from __future__ import annotations

from dataclasses import dataclass

from ledgerlake.errors import AccountingError, Where


@dataclass(frozen=True)
class Counts:
    """Changes of one batch and table, by what became of them.

    ``applied``: its value, or its delete, is in silver. ``superseded``: a newer change of the
    key was already there or in the same batch. ``duplicate``: the same change was read
    before. ``quarantined``: refused or held, whole, with a reason (``held`` of them wait for
    a parent row).
    """

    read: int = 0
    applied: int = 0
    superseded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    held: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{k: v + getattr(other, k) for k, v in vars(self).items()})

    @property
    def balanced(self) -> bool:
        """Say whether every change that was read is accounted for, exactly once."""
        accounted = self.applied + self.superseded + self.duplicate + self.quarantined
        return self.read == accounted and min(vars(self).values()) >= 0

    def check(self, where: Where) -> Counts:
        """Return self, or raise :class:`AccountingError` with the figures."""
        if self.balanced:
            return self
        raise AccountingError(
            f"read {self.read} ≠ applied {self.applied} + superseded {self.superseded}"
            f" + duplicate {self.duplicate} + quarantined {self.quarantined}",
            where=where,
            then="do not publish; keep the lake as it is and report this with the run's log",
        )
