"""One delivery with everything wrong that files can have wrong, in one run; then its corrections."""

from __future__ import annotations

from collections.abc import Callable

from house import ACCOUNTS, PAYMENTS, SOURCES, House, cdc, rows_of
from ledgerlake.errors import SourceError
from ledgerlake.feeds.deliveries import REPLACED

BARE = ACCOUNTS.replace("table: accounts", "table: bare").replace("source: db", "source: bare_db")
PAID = """
table: paid
source: db
resource: public/paid
key: [paid_id]
columns:
  - {name: paid_id, type: string, nullable: false}
  - {name: paid_on, type: date}
  - {name: amount, type: "decimal(18,2)"}
"""
PIPELINE = SOURCES.replace("  topics:", """  bare_db:
    feed: dms
    location: bare_db
    options: {header: false}
  topics:""").replace("publication:", """marts:
  - mart: owners
    sql: marts/owners.sql
    key: [account_id]
    inputs: [{table: accounts}]
publication:""")  # fmt: skip
OWNERS = "SELECT account_id, owner, balance FROM accounts"
ORDER = "feed: {column_order: [account_id, owner, currency, balance]}\n"

GOOD = {
    "db/public/accounts/20260301-100000000.csv": cdc("I,a1,Ann,EUR,1.00,10", "I,a2,Bob,EUR,2.00,11"),
    "db/public/payments/20260301-100000000.csv": cdc("I,p1,a1,5.00,20", columns="payment_id,account_id,amount"),
    "db/public/paid/20260301-100000000.csv": cdc("I,d1,2026-03-01,1.50,30", columns="paid_id,paid_on,amount"),
    "bare_db/public/accounts/20260301-100000000.csv": "I,b1,Eve,USD,7.00\n",
}
"""What a source that makes no mistakes delivers on its first day."""

BAD: dict[str, str | bytes] = {
    "db/public/accounts/20260301-110000000.csv": cdc(
        "U,a1,Ann A,EUR,many,40",  # an unparsable number
        "X,a2,Bob,EUR,2.00,41",  # an unknown Op
        "U,a2,Bob B,EUX,2.00,42",  # an unknown currency
        "U,a1,Ann A,EUR,43",  # too few columns
        "U,a1,Ann A,EUR,1.00,44,more",  # too many
    ),
    "db/public/accounts/20260301-120000000.csv": cdc("U,a1,J\u00fcrgen,EUR,1.00,45").encode("latin-1"),
    "db/public/accounts/20260301-130000000.csv": cdc("I,a3,Cid,EUR,3.00,46").encode()[:-9],  # truncated
    "db/public/accounts/20260301-140000000.csv": b"",
    "db/public/paid/20260301-110000000.csv": cdc(
        "I,d2,2026-02-30,1.00,50",  # no such day
        "I,d3,2026-03-01 09:30:00,1.00,51",  # a moment where a day is declared
        "I,d4,2026-03-01 00:00:00,1.00,52",  # midnight: how databases without dates write one
        columns="paid_id,paid_on,amount",
    ),
    "bare_db/public/accounts/20260301-110000000.csv": "Op,account_id,owner,currency,balance\nI,b2,Gil,USD,8.00\n",
    "bare_db/public/accounts/20260301-120000000.csv": "I,b2,Gil,USD,8.00,9\n",  # one column more
}
CORRECTED = {
    "db/public/accounts/20260302-100000000.csv": cdc("U,a1,J\u00fcrgen,EUR,1.00,60", "I,a3,Cid,EUR,3.00,61"),
    "db/public/paid/20260302-100000000.csv": cdc("I,d2,2026-02-28,1.00,70", columns="paid_id,paid_on,amount"),
    "bare_db/public/accounts/20260302-100000000.csv": "I,b2,Gil,USD,8.00\n",
}


def declared(house: House) -> House:
    return house.declare(PIPELINE, ACCOUNTS, PAYMENTS, PAID, BARE + ORDER, marts__owners=OWNERS)


def deliver(house: House, *deliveries: dict[str, str] | dict[str, str | bytes]) -> House:
    for delivery in deliveries:
        for path, body in delivery.items():
            house.deliver(path, body)
    return house


def everything(house: House) -> dict[str, object]:
    return {t: rows_of(house.silver(t)) for t in ("accounts", "payments", "paid", "bare")} | {
        "owners": rows_of(house.mart("owners").select("account_id", "owner", "balance"))
    }


def test_a_delivery_with_every_mistake_ends_in_quarantine_and_its_correction_in_the_marts(
    houses: Callable[[str], House],
) -> None:
    house = deliver(declared(houses("hostile")), GOOD, BAD)

    report = house.run()

    assert (report.status, report.error) == ("published", None)
    assert house.reasons("accounts") == [
        "balance: not a decimal(18,3)",
        "currency: unknown currency",
        "record: line 2: 4 columns where 6 are declared",
        "record: line 5: 5 columns where 6 are declared",
        "record: line 6: 7 columns where 6 are declared",
        "record: unknown Op",
    ]
    assert house.reasons("paid") == ["paid_on: has a time of day", "paid_on: no such day"]
    logs = house.workspace().logs.items()
    refused = {t: [r.reason.partition(". Next:")[0] for m in log.all() for r in m.refused] for t, log in logs}
    assert refused == {
        "accounts": ["line 2: not utf-8: the first bytes that are none", "the file is empty"],
        "bare": ["the file has a header where none is declared", "6 columns where 5 are declared"],
        "paid": [],
        "payments": [],
    }
    assert everything(house)["paid"] == [("d1", "2026-03-01", "1.50"), ("d4", "2026-03-01", "1.00")]

    day = house.clock.now().date().replace(day=2)
    assert deliver(house, CORRECTED).run(day).status == "published"

    tidy = deliver(declared(houses("tidy")), GOOD, CORRECTED)
    tidy.deliver(
        "db/public/paid/20260302-110000000.csv", cdc("I,d4,2026-03-01,1.00,52", columns="paid_id,paid_on,amount")
    )
    assert tidy.run(day).status == "published"
    assert everything(house) == everything(tidy)


def test_what_stops_one_source_lets_the_others_load_and_the_next_run_publishes(
    houses: Callable[[str], House],
) -> None:
    """A name that came back with other content, and a folder that is not there, in one run."""
    house = deliver(declared(houses("house")), GOOD)
    (house.root / "sources" / "bare_db").rename(house.root / "away")
    assert house.run().status == "failed"
    first = "db/public/accounts/20260301-100000000.csv"
    house.deliver(first, cdc("I,a1,Mallory,EUR,1.00,10"))
    house.deliver(
        "db/public/paid/20260301-200000000.csv", cdc("I,d9,2026-03-01,9.00,80", columns="paid_id,paid_on,amount")
    )

    report = house.run()

    assert (report.status, type(report.error), report.error.exit_code) == ("failed", SourceError, 3)
    said = {f.subject: str(f.error) for f in report.failures}
    assert set(said) == {"bare_db"}
    refused = [r for m in house.workspace().logs["accounts"].all() for r in m.refused]
    assert [(r.source_name, r.reason) for r in refused] == [(first.removeprefix("db/"), REPLACED)]
    assert "the source's folder does not exist" in said["bare_db"]
    assert rows_of(house.silver("paid"))[-1] == ("d9", "2026-03-01", "9.00")
    assert house.warehouse.publications == []

    house.deliver(first, GOOD[first])
    (house.root / "away").rename(house.root / "sources" / "bare_db")
    assert house.run().status == "published"

    tidy = deliver(declared(houses("tidy")), GOOD)
    tidy.deliver(
        "db/public/paid/20260301-200000000.csv", cdc("I,d9,2026-03-01,9.00,80", columns="paid_id,paid_on,amount")
    )
    tidy.run()
    assert everything(house) == everything(tidy)
    [published], [expected] = house.warehouse.publications, tidy.warehouse.publications
    assert [(s.table, s.expected_rows, s.key_hash) for s in published.slices] == [
        (s.table, s.expected_rows, s.key_hash) for s in expected.slices
    ]
