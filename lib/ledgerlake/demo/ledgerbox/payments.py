"""Make merchants and transactions from a seed: the truth, before any delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from ledgerlake.demo.ledgerbox.model import EXPONENTS, Fate, Merchant, Transaction, midnight, on_day, token
from ledgerlake.demo.ledgerbox.scale import DAYS, Scale

LAST_CREATED_S = 84_000  # 23:20, so that every outcome falls on the day of its start
REFUNDABLE_UNTIL_S = 72_000  # 20:00, so that a same-day refund ends before midnight
COUNTRIES = {"US": "USD", "DE": "EUR", "FR": "EUR", "GB": "GBP", "JP": "JPY", "KW": "KWD"}
# Commas, quotes and non-ASCII letters: a CSV reader that splits on commas is found out.
NAMES = ("Alder & Sons", 'Birch, "Oak" and Co', "Crème Ltd", "Dune Traders", "Elm GmbH", "Fjord Øst")


def make_merchants(seed: int, scale: Scale, start: date) -> tuple[Merchant, ...]:
    """Return the merchants of the full load, the first six covering every country."""
    rng = Random(f"{seed}:merchants")
    return tuple(_merchant(number, rng, start) for number in range(1, scale.merchants + 1))


def _merchant(number: int, rng: Random, start: date) -> Merchant:
    countries = list(COUNTRIES)
    country = countries[number - 1] if number <= len(countries) else rng.choice(countries)
    age = timedelta(days=rng.randrange(30, 900), microseconds=rng.randrange(86_400_000_000))
    return Merchant(
        merchant_id=f"m_{number:04d}",
        legal_name=f"{rng.choice(NAMES)} {number}",
        country=country,
        settlement_currency=COUNTRIES[country],
        fee_bps=rng.randrange(90, 320, 5),
        status="active",
        created_at=midnight(start) - age,
    )


def make_transactions(seed: int, scale: Scale, start: date, merchants: Sequence[Merchant]) -> tuple[Transaction, ...]:
    """Return every transaction in order of creation, each with the fate drawn for it."""
    made: list[Transaction] = []
    for day in range(DAYS):
        rng = Random(f"{seed}:transactions:{day}")
        offsets = sorted(rng.randrange(LAST_CREATED_S * 1_000_000) for _ in range(scale.transactions))
        base = midnight(on_day(start, day))
        plain = [
            _transaction(
                (seed, day * scale.transactions + i + 1),
                day,
                base + timedelta(microseconds=at),
                rng,
                scale,
                merchants,
            )
            for i, at in enumerate(offsets)
        ]
        made += _with_fates(plain, day, rng, scale)
    return tuple(made)


def _transaction(
    origin: tuple[int, int],
    day: int,
    created_at: datetime,
    rng: Random,
    scale: Scale,
    merchants: Sequence[Merchant],
) -> Transaction:
    merchant = rng.choice(merchants)
    currency = merchant.settlement_currency if rng.randrange(10) else rng.choice(list(EXPONENTS))
    whole = rng.choice((20, 100, 100, 500)) * (100 if currency == "JPY" else 1)
    amount = rng.randrange(10 ** EXPONENTS[currency], whole * 10 ** EXPONENTS[currency])
    by_stripe = rng.randrange(1000) < scale.stripe_per_mille
    key = f"tx_{origin[1]:010d}"
    return Transaction(
        transaction_id=key,
        first_id=key,
        merchant_id=merchant.merchant_id,
        processor="stripe" if by_stripe else "ach",
        processor_ref=token("ch", origin[0], key) if by_stripe else None,
        currency=currency,
        amount_minor=amount,
        first_amount_minor=amount,
        fee_minor=(amount * merchant.fee_bps + 5_000) // 10_000,
        captured=rng.randrange(100) >= scale.failed_percent,
        channel=rng.choice(("web", "web", "api", "terminal")),
        created_at=created_at,
        finished_at=created_at + timedelta(microseconds=rng.randrange(5_000_000, 900_000_000)),
        day=day,
    )


def _with_fates(plain: list[Transaction], day: int, rng: Random, scale: Scale) -> list[Transaction]:
    """Give each fate to its number of fitting transactions, no transaction having two.

    Everything late or corrected is ``ach``, so that Stripe reconciles after every day.
    """
    dealt: dict[str, Transaction] = {}
    for fate, count, fits in _fates(day, scale):
        pool = [t for t in plain if t.transaction_id not in dealt and fits(t)]
        for chosen in rng.sample(pool, min(count, len(pool))):
            dealt[chosen.transaction_id] = _suffer(chosen, fate)
    return [dealt.get(t.transaction_id, t) for t in plain]


def _fates(day: int, scale: Scale) -> Iterable[tuple[Fate, int, Callable[[Transaction], bool]]]:
    if day < DAYS - 1:
        yield Fate.WITHHELD, scale.early_refunds, lambda t: _ach_captured(t) and refundable_today(t)
        yield Fate.LATE_INSERT, scale.late, _ach_captured
        yield Fate.LATE_CAPTURE, scale.late, _ach_captured
        yield Fate.CORRECTED, scale.corrections, _ach_captured
        yield (
            Fate.DELETED_EARLY,
            max(1, scale.deletes // 4),
            lambda t: not t.captured and t.processor == "ach",
        )
    yield Fate.DELETED, scale.deletes, lambda t: not t.captured and t.processor == "ach"
    yield Fate.REKEYED, scale.key_changes, lambda t: t.captured
    if day == DAYS - 1:
        yield Fate.INFLATED, scale.transactions, _inflatable


def _ach_captured(transaction: Transaction) -> bool:
    return transaction.captured and transaction.processor == "ach"


def _inflatable(transaction: Transaction) -> bool:
    """Three merchants in ten are hit by the bad delivery."""
    return transaction.captured and int(transaction.merchant_id[2:]) % 10 < 3


def refundable_today(transaction: Transaction) -> bool:
    """Say whether a refund made on the day of the capture would also end that day."""
    day_start = midnight(transaction.created_at.astimezone(UTC).date())
    return transaction.captured and (transaction.finished_at - day_start).seconds < REFUNDABLE_UNTIL_S


def _suffer(transaction: Transaction, fate: Fate) -> Transaction:
    if fate is Fate.REKEYED:
        new_key = "tx_9" + transaction.transaction_id[4:]
        return replace(transaction, fate=fate, transaction_id=new_key)
    if fate is Fate.CORRECTED:
        corrected = transaction.amount_minor + 10 ** EXPONENTS[transaction.currency]
        return replace(transaction, fate=fate, amount_minor=corrected)
    return replace(transaction, fate=fate)
