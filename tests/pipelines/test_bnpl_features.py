"""Features of the pay-later training set: what they say of the past, and that they know nothing of the future."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

MARTS = Path(__file__).parents[2] / "conf/pipelines/bnpl/marts"
START, DAYS = date(2024, 1, 1), 110
WINDOWED = (
    "transactions_7d", "transactions_30d", "amount_30d", "largest_amount_30d", "missed_payments_30d", "days_since_last_purchase",
)  # fmt: skip


@dataclass(frozen=True)
class Bought:
    """One transaction: of whom, when, for how much, and after how many days a payment was missed, if any."""

    key: str
    customer: str
    on: date
    amount: Decimal
    missed_after: int | None

    @property
    def missed_on(self) -> date | None:
        return self.on + timedelta(days=self.missed_after) if self.missed_after else None


def drawn(seed: int) -> list[Bought]:
    random = Random(seed)
    return [
        Bought(
            f"t{n}", f"cust_{random.randrange(9)}", START + timedelta(days=random.randrange(DAYS)),
            Decimal(random.randrange(100, 90_000)) / 100, random.choice([None, None, 14, 28, 42, 56]),
        )
        for n in range(400)
    ]  # fmt: skip


def expected(bought: Iterable[Bought], one: Bought) -> tuple[object, ...]:
    """Return what may be known of a transaction, read off the list by hand: days before its own, nothing else."""
    own = [b for b in bought if b.customer == one.customer]
    month = [b for b in own if 1 <= (one.on - b.on).days <= 30]
    missed = [b for b in own if b.missed_on and 1 <= (one.on - b.missed_on).days <= 30]
    return (
        sum(1 for b in month if (one.on - b.on).days <= 7),
        len(month),
        sum((b.amount for b in month), Decimal(0)),
        max((b.amount for b in month), default=Decimal(0)),
        len(missed),
        min(((one.on - b.on).days for b in month), default=None),
    )


def features(spark: SparkSession, bought: Iterable[Bought]) -> dict[str, tuple[object, ...]]:
    """Return key → windowed features, by the mart's own SQL."""
    sql = (MARTS / "mart_bnpl_ml_features.sql").read_text()
    given = {
        "transaction_key": "key", "customer_id": "customer", "transaction_date": "bought_on", "amount": "amount",
        "will_default": "missed_on IS NOT NULL", "default_known_on": "missed_on", "risk_score": "CAST(0.3 AS DECIMAL(9,6))",
        "first_payment_amount": "amount",
    }  # fmt: skip
    others = set(re.findall(r"\bt\.(\w+)", sql)) - set(given)
    rows = [(b.key, b.customer, b.on, b.amount, b.missed_on) for b in bought]
    kinds = "key string, customer string, bought_on date, amount decimal(18,2), missed_on date"
    frame = spark.createDataFrame(rows, kinds).selectExpr(
        *(f"{e} AS {n}" for n, e in given.items()), *(f"'x' AS {n}" for n in sorted(others))
    )
    session = spark.newSession()
    session.createDataFrame(frame.rdd, frame.schema).createOrReplaceTempView("int_enriched_transactions")
    return {r["transaction_key"]: tuple(r[n] for n in WINDOWED) for r in session.sql(sql).collect()}


@pytest.fixture(scope="module")
def told(spark: SparkSession) -> Iterator[tuple[list[Bought], dict[str, tuple[object, ...]]]]:
    bought = drawn(1)
    yield bought, features(spark, bought)


Told = tuple[list[Bought], dict[str, tuple[object, ...]]]


def test_features_say_of_the_past_what_the_list_says(told: Told) -> None:
    bought, found = told
    assert found == {one.key: expected(bought, one) for one in bought}
    assert sum(1 for f in found.values() if f[4]) > 50, "hardly any missed payment was seen"


def test_features_of_a_day_are_the_same_when_the_future_is_not_there(told: Told, spark: SparkSession) -> None:
    bought, found = told
    today = START + timedelta(days=70)
    so_far = [
        Bought(b.key, b.customer, b.on, b.amount, b.missed_after if b.missed_on and b.missed_on < today else None)
        for b in bought if b.on <= today
    ]  # fmt: skip
    assert features(spark, so_far) == {b.key: found[b.key] for b in so_far}
