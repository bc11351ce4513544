"""Write the DMS deliveries: CSV with a header for payments, Parquet for refunds."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq

from ledgerlake.demo.ledgerbox.changes import MERCHANT_COLUMNS, TRANSACTION_COLUMNS, Change, stamp
from ledgerlake.demo.ledgerbox.dms_layout import DmsFile, RefundChange, RefundFile
from ledgerlake.demo.ledgerbox.model import major
from ledgerlake.demo.ledgerbox.scale import DAYS

_MOMENT = pa.timestamp("us", tz="UTC")
REFUND_SCHEMA = pa.schema(
    [
        ("Op", pa.string()),
        ("refund_id", pa.string()),
        ("transaction_id", pa.string()),
        ("merchant_id", pa.string()),
        ("processor", pa.string()),
        ("processor_ref", pa.string()),
        ("currency", pa.string()),
        ("amount", pa.decimal128(18, 3)),
        ("reason", pa.string()),
        ("status", pa.string()),
        ("created_at", _MOMENT),
        ("updated_at", _MOMENT),
        ("dms_ts", _MOMENT),
    ]
)


def csv_header(table: str, day: int) -> tuple[str, ...]:
    """Return the header of a table's files on a day: ``channel`` appears on the last."""
    if table == "merchants":
        return ("Op", *MERCHANT_COLUMNS, "dms_ts", "change_seq")
    columns = TRANSACTION_COLUMNS if day == DAYS - 1 else TRANSACTION_COLUMNS[:-1]
    return ("Op", *columns, "dms_ts", "change_seq", "BI_transaction_id")


def csv_body(file: DmsFile) -> bytes:
    """Return the file's bytes: UTF-8, comma, minimal quoting, null as an empty field."""
    header = csv_header(file.table, file.day)
    with_before = file.table == "transactions"
    width = len(header) - 3 - with_before
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(_csv_row(change, width, with_before) for change in file.rows)
    return text.getvalue().encode()


def _csv_row(change: Change, width: int, with_before: bool) -> tuple[str, ...]:
    row = (change.op, *change.values[:width], stamp(change.committed_at), change.sequence)
    return (
        *row,
        *((change.before_key,) if with_before else ()),
        *(("surplus",) if change.extra_field else ()),
    )


def parquet_body(file: RefundFile) -> bytes:
    """Return the file's bytes, with :data:`REFUND_SCHEMA`."""
    table = pa.Table.from_pylist([_refund_row(change) for change in file.rows], schema=REFUND_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def _refund_row(change: RefundChange) -> dict[str, object]:
    refund, transaction = change.refund, change.refund.transaction
    return {
        "Op": change.op,
        "refund_id": refund.refund_id,
        "transaction_id": transaction.transaction_id,
        "merchant_id": transaction.merchant_id,
        "processor": transaction.processor,
        "processor_ref": refund.processor_ref,
        "currency": transaction.currency,
        "amount": major(refund.amount_minor, transaction.currency),
        "reason": refund.reason,
        "status": change.status,
        "created_at": refund.created_at,
        "updated_at": change.committed_at,
        "dms_ts": change.committed_at,
    }
