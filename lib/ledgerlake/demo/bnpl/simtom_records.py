"""Transactions of a pay-later shop in the shape of the simtom service: the same for one seed and day, always.

Records are written as text, field by field in the service's order, because a simulated year
has 1.8 million of them. Scores are sums of floats and show it (``0.38000000000000006``), as
the service's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from random import Random

CUSTOMERS, PRODUCTS = 20_000, 5_000
_STATES = (
    "AL", "CA", "CT", "DC", "FL", "GA", "HI", "IA", "IL", "KS", "MA", "MD", "ME", "MI", "MN", "NC", "ND", "NJ",
    "NY", "OH", "OK", "OR", "PA", "SD", "TN", "TX", "UT", "VA", "WA", "WI",
)  # fmt: skip
_AGES, _INCOMES = ("18-24", "25-34", "35-44", "45-54", "55+"), ("<25k", "25k-50k", "50k-75k", "75k-100k", "100k+")
_CREDIT, _VERIFIED = ("excellent", "good", "fair", "poor"), ("verified", "partial", "unverified")
_STABILITY, _LEVELS = ("stable", "new", "frequent_mover"), ("low", "medium", "high")
_BRANDS = ("Apple", "Nike", "Adidas", "Samsung", "Sephora", "Zara", "IKEA", "H&M")
_GOODS = (
    ("electronics", "cameras tablets smartphones headphones laptops"),
    ("clothing", "jeans accessories shoes jackets dresses"),
    ("home", "kitchen decor bedding appliances furniture"),
    ("beauty", "tools fragrances makeup haircare skincare"),
    ("sports", "outdoor athletic_wear fitness team_sports"),
)
_SUBCATEGORIES = tuple((category, sub) for category, subs in _GOODS for sub in subs.split())
_DEVICES = (
    ("mobile", "Android"), ("mobile", "Android"), ("mobile", "iOS"), ("desktop", "Windows"), ("desktop", "macOS"),
    ("desktop", "Linux"), ("tablet", "iOS"), ("tablet", "Android"),
)  # fmt: skip
_PROVIDERS, _LIMITS = ("klarna", "afterpay", "affirm", "sezzle"), (500, 1000, 1500, 2500, 5000)
_MISSED = (14, 28, 42, 56)


def transactions(day: date, count: int, seed: int, first: int = 0) -> Iterator[str]:
    """Yield a day's transactions as JSON texts, in order of time; ids count from ``first``."""
    draw = Random(f"{seed}|{day.isoformat()}").random
    for number, second in enumerate(sorted(int(draw() * 86_400) for _ in range(count)), first):
        customer, product = 1 + int(draw() * draw() * CUSTOMERS), int(draw() * PRODUCTS)
        amount, plan, limit = 1500 + int(draw() * 38_000), 6 if draw() < 0.28 else 4, _LIMITS[int(draw() * 5)]
        score = 0.06 + 0.01 * int(draw() * 40) + 0.05 * int(draw() * 5)
        defaults = "true" if draw() < score / 8 else "false"
        missed = _MISSED[int(draw() * 4)] if defaults == "true" else "null"
        device, system = _DEVICES[int(draw() * 8)]
        price, abandoned = repr(amount / 100), int(draw() * 4)
        before, between, after = _scenario(draw(), draw(), amount, limit)
        yield (
            f'{{"transaction_id": "txn_{number:08d}", "customer_id": "cust_{customer:06d}", '
            f'"product_id": "prod_{product:06d}", "device_id": "cust_{customer:06d}_device_{1 + int(draw() * 2)}", '
            f'"payment_method_id": "cust_{customer:06d}_pm_{1 + int(draw() * 3)}", "amount": {price}, '
            f'"currency": "USD", "status": "completed", {before}"risk_score": {score!r}, '
            f'"risk_level": "{_LEVELS[0 if score < 0.3 else 1 if score < 0.6 else 2]}", "installment_count": {plan}, '
            f'"first_payment_amount": {(amount + plan // 2) // plan / 100!r}, "payment_frequency": "bi_weekly", '
            f'{between}"cart_abandonment_count": {abandoned}, {after}"economic_stress_factor": 0.0, '
            f'"will_default": {defaults}, "days_to_first_missed_payment": {missed}, {_customer(customer, seed)}, '
            f'{_product(product, seed, price)}, "device_type": "{device}", "device_os": "{system}", '
            f'"device_is_trusted": {"true" if draw() < 0.97 else "false"}, '
            f'"payment_provider": "{_PROVIDERS[int(draw() * 4)]}", "payment_type": "bnpl_account", '
            f'"payment_credit_limit": {limit}, '
            f'"_timestamp": "{day.isoformat()}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}", '
            f'"_record_id": {number}, "_generator": "BNPLGenerator"}}'
        )


def _scenario(which: float, pace: float, amount: int, limit: int) -> tuple[str, str, str]:
    """Return the fields before the score, and on both sides of the cart's, whose order depends on the scenario."""
    if which < 0.56:
        speed, seconds, compared = ("normal" if pace < 0.5 else "slow"), 180 + int(pace * 720), 60 + int(pace * 240)
        return _fields("", "low_risk_purchase", "normal", speed, seconds, compared)
    if which < 0.81:
        return _fields(
            '"purchase_context": "impulse", ', "impulse_purchase", "", "fast", 120 + int(pace * 180), int(pace * 60)
        )
    if which < 0.955:
        used = f'"credit_utilization": {amount / 100 / limit!r}, '
        return _fields(used, "credit_stretched", "normal", "normal", 310 + int(pace * 270), 60 + int(pace * 240))
    seconds, compared = 60 + int(pace * 60), int(pace * 30)
    first = f'"purchase_context": "rushed", "time_on_site_seconds": {seconds}, "risk_scenario": "high_risk_behavior", '
    return first, '"checkout_speed": "very_fast", ', f'"price_comparison_time": {compared}, '


def _fields(first: str, name: str, context: str, speed: str, seconds: int, compared: int) -> tuple[str, str, str]:
    late = f'"purchase_context": "{context}", ' if context else ""
    after = f'"price_comparison_time": {compared}, "time_on_site_seconds": {seconds}, '
    return f'{first}"risk_scenario": "{name}", ', f'{late}"checkout_speed": "{speed}", ', after


@lru_cache(maxsize=CUSTOMERS)
def _customer(number: int, seed: int) -> str:
    random = Random(f"customer|{seed}|{number}")
    return (
        f'"customer_age_bracket": "{random.choice(_AGES)}", "customer_tenure_days": {random.randrange(30, 700)}, '
        f'"customer_income_bracket": "{random.choice(_INCOMES)}", '
        f'"customer_credit_score_range": "{random.choice(_CREDIT)}", '
        f'"customer_verification_level": "{random.choice(_VERIFIED)}", '
        f'"customer_address_stability": "{random.choice(_STABILITY)}", "customer_state": "{random.choice(_STATES)}"'
    )


@lru_cache(maxsize=PRODUCTS)
def _goods(number: int, seed: int) -> tuple[str, str]:
    random = Random(f"product|{seed}|{number}")
    category, sub = random.choice(_SUBCATEGORIES)
    eligible = "true" if random.random() < 0.8 else "false"
    first = (
        f'"product_category": "{category}", "product_subcategory": "{sub}", "product_brand": "{random.choice(_BRANDS)}"'
    )
    return first, f'"product_bnpl_eligible": {eligible}, "product_risk_category": "{random.choice(_LEVELS)}"'


def _product(number: int, seed: int, price: str) -> str:
    first, last = _goods(number, seed)
    return f'{first}, "product_price": {price}, {last}'
