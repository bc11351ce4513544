"""The seeded world: invoices and what happens to them on three days, and which delivery carries what.

Days: 31 March (February is closed, late events reopen it), 1 April (March is closed at six in the
morning, late events are posted to April), 2 April (a billing event does not balance, and the
payments service miscounts).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from ledgerlake.demo.tax_ledger.model import RATES, Event, entries_of, event_id, reversal

DAYS = (date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2))
CLOSES = (
    ("close-2026-02", "2026-02", datetime(2026, 3, 5, 18, tzinfo=UTC), "reopen", 0),
    ("close-2026-03", "2026-03", datetime(2026, 4, 1, 6, tzinfo=UTC), "post_to_open", 1),
)
"""Close id, period, moment, policy, and the day index of its delivery."""


@dataclass(frozen=True)
class Scale:
    """How large the world is."""

    invoices_per_day: int = 1200
    late: int = 30  # of an earlier period, each day
    delayed: int = 40  # recorded on day 1, delivered on day 2
    replayed: int = 200
    damaged: int = 12
    contradictions: int = 5

    @classmethod
    def small(cls) -> Scale:
        """Return the scale of a quick look."""
        return cls(invoices_per_day=120, late=6, delayed=8, replayed=40, damaged=3, contradictions=2)


@dataclass
class World:
    """Every event by the index of the day it was recorded on, and what each delivery carries."""

    seed: int
    scale: Scale
    recorded: list[list[Event]]
    correction: list[Event] = field(default_factory=list)
    deliveries: list[list[Event]] = field(default_factory=list)
    replays: list[Event] = field(default_factory=list)
    relayed: list[Event] = field(default_factory=list)
    damaged: list[Event] = field(default_factory=list)
    contradictions: list[Event] = field(default_factory=list)

    @property
    def planted(self) -> dict[str, int]:
        """Return how many of each oddity the deliveries hold."""
        names = {"replays": self.replays, "relayed by another service": self.relayed, "malformed": self.damaged,
                 "contradictions": self.contradictions}  # fmt: skip
        late = sum(e.effective_at.month < e.recorded_at.month for day in self.recorded for e in day)
        return {k: len(v) for k, v in names.items()} | {
            "late into a closed period": late,
            "delayed": self.scale.delayed,
        }


def build_world(seed: int = 17, scale: Scale | None = None) -> World:
    """Return the world of a seed: the same seed always gives the same events."""
    scale = scale or Scale()
    rng = Random(f"{seed}:tax_ledger")
    drafts: list[list[Event]] = [[], [], []]
    for index in range(len(DAYS)):
        for number in range(scale.invoices_per_day):
            for event in _invoice(rng, index, number, late=number < scale.late and index < 2):
                if event.recorded_at.date() in DAYS:
                    drafts[DAYS.index(event.recorded_at.date())].append(event)
    unbalanced, mend = _mistake(rng, scale)
    drafts[2].append(unbalanced)
    recorded = _numbered([*drafts, mend])
    world = World(seed, scale, recorded[:3], correction=recorded[3])
    _deliver(world, rng)
    return world


def _invoice(rng: Random, index: int, number: int, *, late: bool) -> Iterator[Event]:
    """Yield everything that happens to one invoice of one or two transactions."""
    day = DAYS[index]
    recorded = datetime(day.year, day.month, day.day, 7, tzinfo=UTC) + timedelta(milliseconds=rng.randrange(36_000_000))
    effective = (
        recorded - timedelta(days=rng.randrange(32, 38) if index == 0 else rng.randrange(3, 12)) if late else recorded
    )
    invoice = f"inv_{index}{number:06d}"
    jurisdiction = rng.choice(list(RATES))
    currency, rate = RATES[jurisdiction]
    for part in range(1 + (number % 3 == 0)):
        net = rng.randrange(1_000, 900_000) // (1 if currency != "JPY" else 10)
        base = Event(
            event_id(recorded, rng), "invoice.finalised", "billing", invoice, f"txn_{index}{number:06d}_{part}",
            effective.date(), effective, recorded, jurisdiction, currency, net, net * rate // 10_000, (),
        )  # fmt: skip
        finalised = replace(base, entries=entries_of(base.event_type, base.net, base.tax))
        yield finalised
        yield from _followed(rng, finalised)


def _followed(rng: Random, sale: Event) -> Iterator[Event]:
    """Yield payments, corrections, credit notes, refunds and reversals, some of them on the next day."""

    def then(kind: str, service: str, hours: float, net: int, tax: int, corrects: str | None = None) -> Event:
        at = sale.recorded_at + timedelta(hours=hours, milliseconds=rng.randrange(3_000_000))
        return replace(
            sale, event_id=event_id(at, rng), event_type=kind, service=service, effective_at=at, recorded_at=at,
            net=net, tax=tax, entries=entries_of(kind, net, tax), corrects=corrects,
        )  # fmt: skip

    chance = rng.random()
    if chance < 0.05:
        yield then("invoice.corrected", "tax_engine", 1, 0, rng.choice((-1, 1)) * (1 + sale.tax // 10), sale.event_id)
    elif chance < 0.75:
        paid = then("payment.received", "payments", 24 if chance < 0.2 else 1, sale.net, sale.tax)
        yield paid
        if chance > 0.72:
            yield reversal(paid, paid.recorded_at + timedelta(hours=1), rng, "payments")
        elif chance > 0.66:
            yield then("credit_note.issued", "billing", 3, sale.net // 2, sale.tax // 2)
            yield then("refund.issued", "payments", 4, sale.net // 2, sale.tax // 2)


def _mistake(rng: Random, scale: Scale) -> tuple[Event, list[Event]]:
    """Return a billing event whose entries do not balance, and its reversal with the event as it should be."""
    at = datetime(2026, 4, 2, 16, tzinfo=UTC)
    right = next(e for e in _invoice(rng, 2, scale.invoices_per_day + 1, late=False))
    right = replace(right, event_id=event_id(at, rng), effective_at=at, recorded_at=at)
    (account, debit, credit), *others = right.entries
    wrong = replace(right, entries=((account, debit + 100, credit), *others))
    later = at + timedelta(hours=4)
    again = replace(right, event_id=event_id(later, rng), effective_at=later, recorded_at=later)
    return wrong, [reversal(wrong, later, rng, "billing"), again]


def _numbered(days: Sequence[list[Event]]) -> list[list[Event]]:
    """Number each service's events in the order of their recording, without a gap."""
    last: dict[str, int] = {}
    found = []
    for day in days:
        numbered = []
        for event in sorted(day, key=lambda e: (e.recorded_at, e.event_id)):
            last[event.service] = last.get(event.service, 0) + 1
            numbered.append(event.numbered(last[event.service]))
        found.append(numbered)
    return found


def _deliver(world: World, rng: Random) -> None:
    """Decide which delivery carries which event, and what else is in it."""
    scale, (first, second, third) = world.scale, world.recorded
    delayed = set(map(id, rng.sample(first, scale.delayed)))
    world.damaged = rng.sample(second, scale.damaged)
    broken = set(map(id, world.damaged))
    world.deliveries = [
        [e for e in first if id(e) not in delayed],
        [e for e in [*first, *second] if id(e) in delayed or (e.recorded_at.date() == DAYS[1] and id(e) not in broken)],
        [*world.damaged, *third],
    ]
    for delivery in world.deliveries:
        rng.shuffle(delivery)
    world.replays = rng.sample([e for e in world.deliveries[0] if e.service == "payments"], scale.replayed)
    world.relayed = rng.sample([e for e in world.deliveries[0] if e.service == "billing"], scale.replayed)
    world.contradictions = [
        replace(e, net=e.net + 1_000) for e in rng.sample(world.deliveries[0], scale.contradictions)
    ]
