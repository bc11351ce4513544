"""The LedgerBox world is deterministic, declares what it plants, and reconciles to the cent."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from ledgerlake.demo.ledgerbox.deliveries import deliver
from ledgerlake.demo.ledgerbox.malformed import DAMAGES
from ledgerlake.demo.ledgerbox.model import EXPONENTS, Fate
from ledgerlake.demo.ledgerbox.scale import Scale
from ledgerlake.demo.ledgerbox.settlements_db import SettlementsDb
from ledgerlake.demo.ledgerbox.world import World, build_world

Row = dict[str, str]
Bucket = tuple[str, str, str]  # merchant_id, UTC day, currency
DAYS = range(3)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, scale=Scale.small())


@pytest.fixture(scope="module")
def bucket(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    for day in DAYS:
        deliver(world, day, root, corrected=True)
    return root


def rows_of(root: Path, table: str) -> list[Row]:
    """Read every CSV row of a table in file-name order; a surplus field stands under ''."""
    found: list[Row] = []
    for path in sorted((root / f"payments_db/public/{table}").glob("*.csv")):
        found += csv.DictReader(io.StringIO(path.read_text()), restkey="")
    return found


def is_sound(row: Row) -> bool:
    try:
        Decimal(row["amount"] or "0")
    except InvalidOperation:
        return False
    full = row["Op"] == "D" or (row["merchant_id"] != "" and row["currency"] in EXPONENTS)
    return "" not in row and row["Op"] in ("I", "U", "D") and full


def silver(root: Path) -> dict[str, Row]:
    """Fold the delivered transactions by key: the last change_seq wins, deletes and rekeys apply."""
    newest: dict[str, tuple[str, Row | None]] = {}
    for row in filter(is_sound, rows_of(root, "transactions")):
        old_key = row["BI_transaction_id"]
        states: list[tuple[str, Row | None]] = [(row["transaction_id"], None if row["Op"] == "D" else row)]
        if old_key not in ("", row["transaction_id"]):
            states.append((old_key, None))
        for key, state in states:
            if key not in newest or newest[key][0] < row["change_seq"]:
                newest[key] = (row["change_seq"], state)
    return {key: row for key, (_, row) in newest.items() if row is not None}


def refunds_of(root: Path) -> dict[str, dict[str, Any]]:
    """Fold the delivered refunds by key: the last commit time wins."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((root / "refunds_db/public/refunds").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            if row["refund_id"] not in found or found[row["refund_id"]]["dms_ts"] <= row["dms_ts"]:
                found[row["refund_id"]] = row
    return found


def books(root: Path, processor: str | None = None) -> dict[Bucket, Decimal]:
    """Return captured minus succeeded refunds minus fees, from what was delivered.

    A refund whose transaction is not there yet waits with it.
    """
    totals: dict[Bucket, Decimal] = defaultdict(Decimal)
    transactions = silver(root)
    for row in transactions.values():
        if row["status"] == "captured" and processor in (None, row["processor"]):
            key = (row["merchant_id"], row["captured_at"][:10], row["currency"])
            totals[key] += Decimal(row["amount"]) - Decimal(row["fee"])
    for refund in refunds_of(root).values():
        held = refund["transaction_id"] not in transactions
        if refund["status"] == "succeeded" and not held and processor in (None, refund["processor"]):
            key = (refund["merchant_id"], f"{refund['created_at']:%Y-%m-%d}", refund["currency"])
            totals[key] -= refund["amount"]
    return dict(totals)


def stripe_books(world: World, days: range) -> dict[Bucket, Decimal]:
    """Return the net of Stripe's charge and refund entries, by the merchant of their source."""
    current = {o["id"]: o for day in days for o in world.stripe_days[day].objects}
    totals: dict[Bucket, Decimal] = defaultdict(Decimal)
    for entry in current.values():
        if entry["object"] == "balance_transaction" and entry["type"] in ("charge", "refund"):
            currency = entry["currency"].upper()
            day = datetime.fromtimestamp(entry["created"], UTC).date().isoformat()
            merchant = current[entry["source"]]["metadata"]["merchant_id"]
            totals[merchant, day, currency] += Decimal(entry["net"]).scaleb(-EXPONENTS[currency])
    return dict(totals)


def without_zeros(totals: dict[Bucket, Decimal]) -> dict[Bucket, Decimal]:
    return {key: total for key, total in totals.items() if total}


def settled(world: World, through: int) -> dict[Bucket, Decimal]:
    rows = {row.settlement_id: row for day in world.settlement_days[: through + 1] for row in day}
    return {(r.merchant_id, r.settlement_date.isoformat(), r.currency): r.net_amount for r in rows.values()}


def test_the_same_seed_gives_the_same_bytes(bucket: Path, tmp_path: Path) -> None:
    again = build_world(seed=7, scale=Scale.small())
    for day in DAYS:
        deliver(again, day, tmp_path, corrected=True)
    files = sorted(p.relative_to(bucket) for p in bucket.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert all((bucket / f).read_bytes() == (tmp_path / f).read_bytes() for f in files)


def test_another_seed_gives_another_world(world: World) -> None:
    other = build_world(seed=8, scale=Scale.small())
    assert other.transactions[0].created_at != world.transactions[0].created_at


def test_delivering_a_day_again_writes_nothing(world: World, tmp_path: Path) -> None:
    first = deliver(world, 0, tmp_path)
    again = deliver(world, 0, tmp_path)
    assert first.written == first.objects > 0
    assert (again.written, again.objects, again.changes) == (0, first.objects, first.changes)


@pytest.mark.parametrize("seed", range(5))
def test_stripe_reconciles_to_the_cent_after_the_corrected_delivery(seed: int, tmp_path: Path) -> None:
    world = build_world(seed=seed, scale=Scale.small())
    for day in DAYS:
        deliver(world, day, tmp_path, corrected=True)
    ours = books(tmp_path, "stripe")
    assert ours
    assert without_zeros(ours) == without_zeros(stripe_books(world, DAYS))


@pytest.mark.parametrize("last", [0, 1])
def test_stripe_reconciles_after_every_ordinary_day(world: World, tmp_path: Path, last: int) -> None:
    for day in range(last + 1):
        deliver(world, day, tmp_path)
    expected = stripe_books(world, range(last + 1))
    assert without_zeros(books(tmp_path, "stripe")) == without_zeros(expected)


def test_the_bad_delivery_does_not_reconcile_though_each_row_is_sound(world: World, tmp_path: Path) -> None:
    for day in DAYS:
        deliver(world, day, tmp_path)
    assert without_zeros(books(tmp_path, "stripe")) != without_zeros(stripe_books(world, DAYS))
    last_day = [r for r in rows_of(tmp_path, "transactions") if r["dms_ts"].startswith("2026-03-04")]
    assert all(is_sound(row) and Decimal(row["amount"] or "1") > 0 for row in last_day)


def test_the_corrected_delivery_only_adds_later_files(world: World, tmp_path: Path) -> None:
    deliver(world, 2, tmp_path)
    before = set(tmp_path.rglob("*.csv"))
    summary = deliver(world, 2, tmp_path, corrected=True)
    added = set(tmp_path.rglob("*.csv")) - before
    newest = max(p.name for p in before if p.parent.name == "transactions")
    assert summary.written == len(added) == 1
    assert all(path.name > newest for path in added)


@pytest.mark.parametrize("last", DAYS)
def test_settlements_agree_with_what_was_delivered(world: World, tmp_path: Path, last: int) -> None:
    for day in range(last + 1):
        deliver(world, day, tmp_path, corrected=True)
    assert without_zeros(books(tmp_path)) == without_zeros(settled(world, last))


def test_a_new_column_appears_on_the_third_day(bucket: Path) -> None:
    headers: dict[str, set[str]] = defaultdict(set)
    for path in (bucket / "payments_db/public/transactions").glob("*.csv"):
        headers[path.name[:8]].add(path.read_text().splitlines()[0])
    assert [len(found) for found in headers.values()] == [1, 1, 1]
    with_channel = {day: "channel" in min(found) for day, found in headers.items()}
    assert with_channel == {"20260302": False, "20260303": False, "20260304": True}
    assert min(headers["20260304"]).endswith("updated_at,channel,dms_ts,change_seq,BI_transaction_id")


def test_change_sequences_are_35_digits_in_order_of_commit(bucket: Path) -> None:
    rows = rows_of(bucket, "transactions")
    by_sequence = {row["change_seq"]: row["dms_ts"] for row in rows}
    assert all(len(sequence) == 35 and sequence.isdigit() for sequence in by_sequence)
    assert [by_sequence[s] for s in sorted(by_sequence)] == sorted(by_sequence.values())


def test_a_full_load_row_has_no_sequence(bucket: Path, world: World) -> None:
    loaded = [row for row in rows_of(bucket, "merchants") if row["change_seq"] == ""]
    assert {row["Op"] for row in loaded} == {"I"}
    assert len(loaded) == len(world.merchants)


def test_every_planted_malformed_row_is_delivered_and_nothing_else_is_malformed(bucket: Path, world: World) -> None:
    bad = [row for row in rows_of(bucket, "transactions") if not is_sound(row)]
    assert len({row["change_seq"] for row in bad}) == world.planted["malformed_rows"] == len(DAMAGES)
    assert all(row["transaction_id"].startswith("tx_8") for row in bad)


def test_repeated_rows_are_as_many_as_declared(bucket: Path, world: World) -> None:
    counts = Counter(json.dumps(row) for row in rows_of(bucket, "transactions"))
    repeated = sum(count - 1 for count in counts.values())
    assert repeated == world.planted["copied_rows"] + world.planted["redelivered_rows"]


def test_late_rows_have_a_lower_sequence_than_rows_delivered_before(tmp_path: Path, world: World) -> None:
    deliver(world, 0, tmp_path)
    highest = max(row["change_seq"] for row in rows_of(tmp_path, "transactions"))
    seen = {row["change_seq"] for row in rows_of(tmp_path, "transactions")}
    deliver(world, 1, tmp_path)
    late = {r["change_seq"] for r in rows_of(tmp_path, "transactions")} - seen
    assert len([sequence for sequence in late if sequence < highest]) == world.planted["late_changes"] // 2


def test_some_refunds_arrive_a_day_before_their_transaction(tmp_path: Path, world: World) -> None:
    deliver(world, 0, tmp_path)
    first = refunds_of(tmp_path).values()
    missing = {r["transaction_id"] for r in first} - silver(tmp_path).keys()
    deliver(world, 1, tmp_path)
    assert missing == {t.transaction_id for t in world.transactions if t.fate is Fate.WITHHELD and t.day == 0}
    assert missing
    assert missing <= silver(tmp_path).keys()


def test_a_deleted_transaction_stays_deleted_though_its_insert_comes_later(bucket: Path, world: World) -> None:
    gone = {t.transaction_id for t in world.transactions if t.fate in (Fate.DELETED, Fate.DELETED_EARLY)}
    assert len(gone) == world.planted["deletes"] > world.planted["inserts_after_delete"] > 0
    assert not gone & silver(bucket).keys()


def test_a_key_change_leaves_only_the_new_key_everywhere_but_in_older_events(bucket: Path, world: World) -> None:
    changed = [t for t in world.transactions if t.fate is Fate.REKEYED]
    assert len(changed) == world.planted["key_changes"]
    assert {t.transaction_id for t in changed} <= silver(bucket).keys()
    assert not {t.first_id for t in changed} & silver(bucket).keys()


def test_events_have_their_offsets_in_the_file_name_and_overlap_where_declared(bucket: Path, world: World) -> None:
    lines: dict[tuple[int, int], str] = {}
    repeated = 0
    for path in sorted((bucket / "topics/ledgerbox.payment_events").rglob("*.json.gz")):
        _, name, first = path.name.removesuffix(".json.gz").split("+")
        for at, line in enumerate(gzip.decompress(path.read_bytes()).decode().splitlines(), int(first)):
            repeated += (int(name), at) in lines
            assert lines.setdefault((int(name), at), line) == line
    for partition in range(4):
        offsets = sorted(at for p, at in lines if p == partition)
        assert offsets == list(range(len(offsets)))
    assert repeated == world.planted["overlapping_events"]
    assert sum(not line.endswith("}}") for line in lines.values()) == world.planted["malformed_events"]


def test_refund_files_hold_utc_microseconds_and_exact_decimals(bucket: Path) -> None:
    path = min((bucket / "refunds_db/public/refunds").glob("*.parquet"))
    types = {field.name: str(field.type) for field in pq.read_schema(path)}
    assert types["amount"] == "decimal128(18, 3)"
    assert types["dms_ts"] == types["created_at"] == "timestamp[us, tz=UTC]"


def test_the_start_date_moves_the_whole_world() -> None:
    moved = build_world(seed=7, start=date(2027, 1, 1), scale=Scale.small())
    assert {t.created_at.date() for t in moved.transactions} == {moved.date_of(d) for d in DAYS}


def test_the_settlements_database_takes_each_day_once(world: World, tmp_path: Path) -> None:
    with SettlementsDb(tmp_path / "pg").running() as database:
        written = [database.apply_day(world, day) for day in (0, 0, 1, 2)]
        with psycopg.connect(database.endpoint.dsn) as connection:
            rows = connection.execute(
                "SELECT merchant_id, settlement_date::text, currency, net_amount FROM settlements"
            ).fetchall()
            level = connection.execute("SHOW wal_level").fetchone()
    assert written == [len(world.settlement_days[0]), 0, *map(len, world.settlement_days[1:])]
    assert {(r[0], r[1], r[2]): r[3] for r in rows} == settled(world, 2)
    assert level == ("logical",)


def test_the_settlements_database_keeps_its_data_when_stopped(world: World, tmp_path: Path) -> None:
    database = SettlementsDb(tmp_path / "pg")
    with database.running():
        database.apply_day(world, 0)
    with database.running():
        assert database.apply_day(world, 0) == 0


def test_the_default_world_has_over_200_000_changes() -> None:
    world = build_world()
    captured = {row for file in world.dms_files for row in file.rows}
    refunds = sum(len(file.rows) for file in world.refund_files) - world.planted["copied_refund_rows"]
    events = sum(len(file.lines) for file in world.event_files) - world.planted["overlapping_events"]
    assert len(captured) + refunds + events - world.planted["retried_events"] >= 200_000
