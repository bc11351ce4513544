"""What a run report says, before it is HTML: plain frozen records without markup."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ledgerlake.core.accounting import Counts
from ledgerlake.quality.gate import Decision

Tone = Literal["good", "warn", "bad", "calm"]


@dataclass(frozen=True)
class Reason:
    """One thing that stopped the run: on what, what is wrong, and why that matters or where."""

    subject: str
    what: str
    detail: str = ""


@dataclass(frozen=True)
class Alert:
    """What stands on top of a run that served nothing new because something is wrong."""

    title: str
    reasons: tuple[Reason, ...]
    served: str
    then: str


@dataclass(frozen=True)
class Tile:
    """One figure of the summary, with a note below it."""

    label: str
    value: str
    note: str = ""
    tone: Tone = "calm"


@dataclass(frozen=True)
class RunMark:
    """One run in the strip of recent ones."""

    run_id: str
    date: str
    status: str
    is_this: bool


@dataclass(frozen=True)
class Fates:
    """What became of the changes of one table, over all of the run's batches."""

    table: str
    counts: Counts


@dataclass(frozen=True)
class StepRow:
    """One step and its wall seconds."""

    stage: str
    subject: str
    seconds: float
    result: str


@dataclass(frozen=True)
class BatchRow:
    """One batch: identity, counts, the range it covers and the versions it wrote.

    Versions are None for a batch that was quarantined whole: then ``reason`` says why.
    """

    table: str
    batch_id: str
    kind: str
    objects: int
    counts: Counts
    positions: tuple[str, str] | None
    extracted: tuple[str, str] | None
    bronze_version: int | None
    silver_version: int | None
    milliseconds: int | None
    reason: str = ""


@dataclass(frozen=True)
class QuarantineRow:
    """Rows of one table that wait in quarantine for one reason; ``since`` is the oldest's time."""

    table: str
    state: str
    reason: str
    rows: int
    new: int
    since: str


@dataclass(frozen=True)
class CheckRow:
    """One expectation and what was found; ``keys`` are samples, never personal data."""

    expectation: str
    columns: str
    expected: str
    on_fail: str
    success: bool
    finding: str
    why: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class GateSection:
    """One gate: the decision on one table or mart version, and its checks."""

    owner: str
    version: int | None
    suite: str
    rows: int
    decision: Decision
    checks: tuple[CheckRow, ...]


@dataclass(frozen=True)
class PublishedMart:
    """One mart of a publication; ``partitions`` None: replaced whole; rows None: not sent."""

    mart: str
    version: int
    partitions: tuple[str, ...] | None
    rows: int | None


@dataclass(frozen=True)
class PublicationSection:
    """The publication that the run made, or that stays served where it made none."""

    title: str
    publication_id: str
    sentence: str
    marts: tuple[PublishedMart, ...]
    inputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class DayBooks:
    """One day of one currency: our books against what was settled and against Stripe's."""

    day: str
    captured: Decimal
    refunded: Decimal
    fees: Decimal
    settled: Decimal
    stripe_difference: Decimal
    settlement_difference: Decimal
    merchants_out: int

    @property
    def due(self) -> Decimal:
        """Return what should be settled: captured less refunds and fees."""
        return self.captured - self.refunded - self.fees

    @property
    def balanced(self) -> bool:
        """Say whether both differences are zero for every merchant of the day."""
        return not (self.stripe_difference or self.settlement_difference or self.merchants_out)


@dataclass(frozen=True)
class CurrencyBooks:
    """The latest days of one currency, oldest first."""

    currency: str
    days: tuple[DayBooks, ...]

    @property
    def out_of_balance(self) -> tuple[DayBooks, ...]:
        """Return the days on which something does not agree."""
        return tuple(d for d in self.days if not d.balanced)


@dataclass(frozen=True)
class Reconciliation:
    """The books as they are served: one entry per currency, never added up across them."""

    publication_id: str
    currencies: tuple[CurrencyBooks, ...]


@dataclass(frozen=True)
class Series:
    """One declared chart: points (x, y, group) in the order of x."""

    title: str
    mart: str
    points: tuple[tuple[str, Decimal, str], ...]


@dataclass(frozen=True)
class Page:
    """A whole run report."""

    title: str
    pipeline: str
    date: str
    status: str
    description: str
    facts: tuple[tuple[str, str], ...]
    alert: Alert | None
    message: str
    tiles: tuple[Tile, ...]
    runs: tuple[RunMark, ...]
    fates: tuple[Fates, ...]
    gates: tuple[GateSection, ...]
    quarantine: tuple[QuarantineRow, ...]
    publication: PublicationSection | None
    reconciliation: Reconciliation | None
    charts: tuple[Series, ...]
    batches: tuple[BatchRow, ...]
    steps: tuple[StepRow, ...]
