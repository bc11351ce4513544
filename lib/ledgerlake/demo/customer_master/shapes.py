"""What each source writes about a customer, in the source's own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ledgerlake.demo.customer_master.people import PRICES, Customer

Json = dict[str, Any]


def crm_event(
    entity: str, record: str, change: str, commit: int, at: datetime, fields: Mapping[str, Any]
) -> Json:  # fmt: skip
    """Return a Salesforce change event as CometD gives it."""
    changed = [] if change in ("CREATE", "DELETE") else [*fields, "LastModifiedDate"]
    header = {
        "entityName": entity, "recordIds": [record], "changeType": change, "commitNumber": commit, "sequenceNumber": 1,
        "commitTimestamp": int(at.timestamp() * 1000), "transactionKey": f"0000-{commit:012d}", "changedFields": changed,
        "nulledFields": [], "diffFields": [], "changeOrigin": "", "commitUser": "0055g000000000001A",
    }  # fmt: skip
    stamped = dict(fields) if change == "DELETE" else {**fields, "LastModifiedDate": iso(at)}
    payload = {"ChangeEventHeader": header, **stamped}
    return {"schema": "fl8pv4oUvtbyFAwJQO2NAQ", "payload": payload, "event": {"replayId": commit}}


def crm_account(c: Customer, *, known: bool) -> Json:
    """Return the fields of an account; unless ``known`` nothing in it leads to another source."""
    address = {"Street": f"{c.number % 90 + 1} Market Street", "City": c.city, "CountryCode": c.country}
    fields: Json = {"Name": c.name, "Tier__c": c.tier, "Account_Owner__c": c.owner, "BillingAddress": address}
    linked = {"Tax_Id__c": c.tax_id, "Stripe_Customer_Id__c": c.stripe_id} if known else {}
    return fields | linked | {"CreatedDate": iso(c.created_at)}


def crm_contact(c: Customer, *, known: bool) -> Json:
    """Return the fields of an account's contact."""
    email = c.email if known else f"office-{c.number}@elsewhere.example"
    name = {"FirstName": "Office", "LastName": c.name.split()[0]}
    return {"AccountId": c.crm_id, "Email": email, "Name": name, "CreatedDate": iso(c.created_at)}


def stripe_customer(c: Customer, at: datetime, *, name: str | None = None) -> Json:
    """Return a customer as Stripe holds it; billing stamps the time of its last change."""
    metadata = {"account_id": c.account_id, "tax_id": c.tax_id, "updated_at": iso(at)}
    address = {"line1": f"{c.number % 90 + 1} Market Street", "city": c.city, "country": c.country}
    return {
        "id": c.stripe_id, "object": "customer", "created": int(c.created_at.timestamp()), "name": name or c.name,
        "email": c.email, "delinquent": False, "livemode": False, "metadata": metadata, "address": address,
    }  # fmt: skip


def stripe_subscription(c: Customer, at: datetime, tier: str, status: str = "active") -> Json:
    """Return a subscription as Stripe holds it."""
    return {
        "id": c.subscription_id, "object": "subscription", "created": int(c.created_at.timestamp()), "status": status,
        "customer": c.stripe_id, "currency": "usd", "livemode": False,
        "metadata": {"plan_tier": tier, "updated_at": iso(at)}, "plan": {"amount": PRICES[tier], "interval": "month"},
    }  # fmt: skip


def app_account(c: Customer, at: datetime, **changed: str | None) -> Json:
    """Return a row of the product's table of accounts."""
    row: Json = {
        "account_id": c.account_id, "company_name": c.name, "owner_email": c.email, "tax_id": None, "plan": c.tier,
        "billing_status": "current", "salesforce_account_id": None, "stripe_customer_id": c.stripe_id,
        "created_at": iso(c.created_at), "updated_at": iso(at),
    }  # fmt: skip
    return row | changed


def subscription_event(c: Customer, at: datetime, tier: str, state: str = "active") -> Json:
    """Return what the product says of a subscription; every event carries all of it."""
    payload = {"state": state, "plan_tier": tier, "started_at": iso(c.created_at)}
    return {
        "subscription_id": c.subscription_id,
        "account_id": c.account_id,
        "occurred_at": iso(at),
        "payload": payload,
    }


def transaction(number: int, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Json]:
    """Return rows (action, columns) between the marks of their transaction, as wal2json format 2 writes them."""
    mark = {
        "xid": 7000 + number,
        "lsn": f"0/{0x1000000 + number * 0x100:X}",
        "nextlsn": f"0/{0x1000100 + number * 0x100:X}",
    }
    return [{"action": "B"} | mark, *(_row(a, r, mark["xid"]) for a, r in rows), {"action": "C"} | mark]


def _row(action: str, row: Mapping[str, Any], xid: Any) -> Json:
    columns = [
        {"name": n, "type": "timestamp with time zone" if n.endswith("_at") else "text", "value": v}
        for n, v in row.items()
    ]
    identity = {"identity": [k for k in columns if k["name"] == "account_id"]} if action == "U" else {}
    return {"action": action, "xid": xid, "schema": "public", "table": "accounts", "columns": columns} | identity


def iso(at: datetime) -> str:
    """Return a moment as text, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
