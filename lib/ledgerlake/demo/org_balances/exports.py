"""The billing system's exports: two CSV files a day, each the whole table, and the faults it makes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

from ledgerlake.demo.org_balances.world import Invoice, Organization

Row = dict[str, str]
INVOICE_COLUMNS = (
    "invoice_id", "organization_id", "invoice_date", "currency", "amount", "payment_amount", "payment_date", "status",
    "updated_at",
)  # fmt: skip
ORGANIZATION_COLUMNS = ("organization_id", "name", "country_code", "currency", "created_at")


def invoice_row(invoice: Invoice) -> Row:
    """Return an invoice as the export writes it."""
    paid_on = invoice.paid_on.isoformat() if invoice.paid_on else ""
    status = "paid" if invoice.paid_on and invoice.paid >= invoice.amount else "open"
    last = max(invoice.invoiced_on, invoice.paid_on or invoice.invoiced_on)
    values = (invoice.invoice_id, invoice.organization_id, invoice.invoiced_on.isoformat(), invoice.currency,
              str(invoice.amount), str(invoice.paid), paid_on, status, f"{last.isoformat()}T18:00:00Z")  # fmt: skip
    return dict(zip(INVOICE_COLUMNS, values, strict=True))


def organization_row(organization: Organization) -> Row:
    """Return an organization as the export writes it."""
    values = (organization.organization_id, organization.name, organization.country_code, organization.currency,
              f"{organization.created.isoformat()}T09:00:00Z")  # fmt: skip
    return dict(zip(ORGANIZATION_COLUMNS, values, strict=True))


def with_faulty_rows(invoices: list[Invoice], day: date) -> tuple[list[Row], list[Invoice]]:
    """Return a day's rows with faults of six kinds among its new invoices, and the invoices that stay good.

    A negative amount, a date that is none, an organization nobody knows, one id twice with
    different amounts, and a payment without a date.
    """
    new = [i for i in invoices if i.invoiced_on == day and i.organization_id > "org_0005"][:5]
    negative, undated, unknown, twice, unpaid = new
    rows = {i.invoice_id: invoice_row(i) for i in invoices}
    rows[negative.invoice_id]["amount"] = f"-{negative.amount}"
    rows[undated.invoice_id]["invoice_date"] = f"{day:%Y-%m}-32"
    rows[unknown.invoice_id]["organization_id"] = "org_9999"
    rows[unpaid.invoice_id] |= {"payment_amount": str(unpaid.amount), "payment_date": "", "status": "paid"}
    again = invoice_row(replace(twice, amount=twice.amount + 1))
    return [*rows.values(), again], [i for i in invoices if i not in new]


def in_one_currency(rows: Iterable[Row], currency: str) -> list[Row]:
    """Return rows as an export writes them whose currency column was filled with one value."""
    return [row | {"currency": currency, "amount": row["amount"].split(".")[0]} for row in rows]


def write_export(files: Path, resource: str, day: date, columns: tuple[str, ...], rows: Iterable[Row]) -> Path:
    """Write one day's export of one table and return its path."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = files / resource / f"{resource}-{day.isoformat()}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path
