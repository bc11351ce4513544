"""How big a world is: every count that the generator plants is a field here."""

from __future__ import annotations

from dataclasses import dataclass

DAYS = 3


@dataclass(frozen=True)
class Scale:
    """Counts per day unless the name says otherwise; the default gives over 200,000 changes."""

    merchants: int = 200  # in total
    transactions: int = 15_000
    stripe_per_mille: int = 133
    failed_percent: int = 5
    refunds: int = 600
    disputes: int = 20
    events_per_file: int = 2_500
    risk_scored_percent: int = 67
    duplicates: int = 40
    late: int = 25  # of each kind of lateness
    corrections: int = 20
    key_changes: int = 15
    deletes: int = 20
    early_refunds: int = 10
    merchant_updates: int = 8
    malformed_each: int = 3  # of each kind, all on the second day

    @classmethod
    def small(cls) -> Scale:
        """Return a world of about 40 transactions a day that still has every oddity."""
        return cls(
            merchants=12,
            transactions=40,
            stripe_per_mille=400,
            failed_percent=20,
            refunds=8,
            disputes=2,
            events_per_file=12,
            duplicates=2,
            late=1,
            corrections=1,
            key_changes=1,
            deletes=1,
            early_refunds=1,
            merchant_updates=1,
            malformed_each=1,
        )
