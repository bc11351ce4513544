"""Stripe objects in the API's own shapes: https://docs.stripe.com/api.

Amounts are integer minor units, moments are integer seconds since the epoch.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledgerlake.demo.ledgerbox.model import Refund, Transaction, token

StripeObject = dict[str, Any]


def seconds(moment: datetime) -> int:
    """Return a moment as Stripe tells it: whole seconds since the epoch."""
    return int(moment.timestamp())


def charge(t: Transaction) -> StripeObject:
    """Return the charge of a transaction once it is captured or failed."""
    assert t.processor_ref is not None, "only transactions through Stripe have a charge"
    return {
        "id": t.processor_ref,
        "object": "charge",
        "amount": t.amount_minor,
        "amount_captured": t.amount_minor if t.captured else 0,
        "amount_refunded": 0,
        "balance_transaction": token("txn", t.processor_ref) if t.captured else None,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": t.captured,
        "created": seconds(t.created_at),
        "currency": t.currency.lower(),
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_code": None if t.captured else "card_declined",
        "failure_message": None if t.captured else "Your card was declined.",
        "invoice": None,
        "livemode": False,
        "metadata": {"transaction_id": t.transaction_id, "merchant_id": t.merchant_id},
        "paid": t.captured,
        "payment_intent": None,
        "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}, "type": "card"},
        "refunded": False,
        "status": "succeeded" if t.captured else "failed",
    }


def refund(r: Refund) -> StripeObject:
    """Return a refund in its final status."""
    assert r.processor_ref is not None, "only refunds through Stripe have an object"
    metadata = {
        "refund_id": r.refund_id,
        "transaction_id": r.transaction.transaction_id,
        "merchant_id": r.transaction.merchant_id,
    }
    return {
        "id": r.processor_ref,
        "object": "refund",
        "amount": r.amount_minor,
        "balance_transaction": token("txn", r.processor_ref) if r.succeeded else None,
        "charge": r.transaction.processor_ref,
        "created": seconds(r.created_at),
        "currency": r.transaction.currency.lower(),
        "metadata": metadata,
        "payment_intent": None,
        "reason": r.reason,
        "receipt_number": None,
        "status": "succeeded" if r.succeeded else "failed",
    }


def balance_transaction(kind: str, source: str, amount: int, fee: int, currency: str, created: int) -> StripeObject:
    """Return a pending entry of the balance; ``net`` is amount minus fee."""
    detail = {"amount": fee, "application": None, "currency": currency, "type": "stripe_fee"}
    return {
        "id": token("txn", source),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created - created % 86_400 + 86_400,
        "created": created,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source,
        "status": "pending",
        "type": kind,
    }


def payout(key: str, amount: int, currency: str, created: int) -> StripeObject:
    """Return a payout on its way to the bank."""
    return {
        "id": key,
        "object": "payout",
        "amount": amount,
        "arrival_date": created - created % 86_400 + 86_400,
        "automatic": True,
        "balance_transaction": token("txn", key),
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "status": "in_transit",
        "type": "bank_account",
    }


def dispute(key: str, of: StripeObject, created: int) -> StripeObject:
    """Return an inquiry about a charge: it holds no funds, so it has no balance entry."""
    return {
        "id": key,
        "object": "dispute",
        "amount": of["amount"],
        "balance_transactions": [],
        "charge": of["id"],
        "created": created,
        "currency": of["currency"],
        "is_charge_refundable": True,
        "livemode": False,
        "metadata": {},
        "reason": "general",
        "status": "warning_needs_response",
    }


def event(kind: str, about: StripeObject, created: int, serial: int) -> StripeObject:
    """Return an event with a copy of the object as it was then."""
    return {
        "id": token("evt", kind, about["id"], created, serial),
        "object": "event",
        "api_version": None,
        "created": created,
        "data": {"object": dict(about)},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
