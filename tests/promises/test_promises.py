"""The promises of the design, each shown once, end to end, on a small bank."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from chispa import assert_df_equality
from house import ACCOUNTS, COUNTS, DAY, PAYMENTS, SOURCES, House, cdc, rows_of
from ledgerlake.errors import GateBlocked

PAYMENT = "payment_id,account_id,amount"
PAID_SQL = """
SELECT p.payment_id, a.owner, p.amount, p._batch_id AS batch_id, p._object AS object, p._ordinal AS ordinal,
  p._extracted_at AS extracted_at
FROM payments p JOIN accounts a ON a.account_id = p.account_id
"""
BANK = SOURCES.replace("publication:", """marts:
  - mart: paid
    sql: marts/paid.sql
    key: [payment_id]
    inputs: [{table: payments}, {table: accounts}]
    suite: paid
publication:""")  # fmt: skip
SUITE = json.dumps(
    {
        "name": "paid",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "amount", "min_value": 0},
                "meta": {"ledgerlake": {"on_fail": "block", "why": "nobody pays a negative amount"}},
            }
        ],
        "meta": {},
    }
)
ACCOUNT_FILE, PAYMENT_FILE = "db/public/accounts/20260301-{}.csv", "db/public/payments/20260301-{}.csv"
OPENED = cdc("I,a1,Ann,EUR,1.00,10", "I,a2,Bob,EUR,1.00,11", "I,a3,Cid,EUR,lots,12")
PAID = cdc("I,p1,a1,5.00,20", "I,p2,a2,6.00,21", "I,p2,a2,6.00,21", "I,p3,a9,7.00,22", columns=PAYMENT)
CHANGED = cdc("U,a1,Ann B,EUR,2.00,30", "D,a2,,,,31", "U,a1,Ann A,EUR,3.00,25")


def opened(house: House) -> House:
    house.declare(BANK, ACCOUNTS, PAYMENTS, marts__paid=PAID_SQL, suite__paid=SUITE)
    return house.deliver(ACCOUNT_FILE.format("100000000"), OPENED).deliver(PAYMENT_FILE.format("110000000"), PAID)


def test_accounted(house: House) -> None:
    """Every line that was delivered is in exactly one place, and the records say in which."""
    bank = opened(house)
    bank.run()

    batches = {b["table"]: b for b in bank.workspace().control.read("batches")}

    assert {t: [b[n] for n in COUNTS] for t, b in batches.items()} == {
        "accounts": [3, 2, 0, 0, 1, 0],
        "payments": [4, 2, 0, 1, 1, 1],
    }
    for table, batch in batches.items():
        assert bank.bronze(table).count() == batch["applied"] + batch["superseded"]
        assert len(bank.quarantine(table)) == batch["quarantined"]


def test_convergent(houses: Callable[[str], House]) -> None:
    """One bank gets everything in order and at once, the other backwards, piecemeal and twice."""
    tidy, untidy = (houses(n).declare(SOURCES, ACCOUNTS) for n in ("tidy", "untidy"))
    tidy.deliver(ACCOUNT_FILE.format("100000000"), OPENED).deliver(ACCOUNT_FILE.format("110000000"), CHANGED).load()

    for number, text in enumerate([CHANGED, OPENED, CHANGED + "I,a1,Ann,EUR,1.00,10\n"]):
        untidy.deliver(ACCOUNT_FILE.format(f"1{number}0000000"), text).load()

    assert_df_equality(untidy.silver("accounts").frame, tidy.silver("accounts").frame, ignore_row_order=True)
    assert rows_of(tidy.silver("accounts")) == [("a1", "Ann B", "EUR", "2.000")]


def test_repeatable(house: House) -> None:
    bank = opened(house)
    assert bank.run().status == "published"
    before, workspace = bank.versions(), bank.workspace()

    from ledgerlake.ops.run import run

    again = run(workspace, DAY, bank.warehouse)

    assert (again.status, workspace.spark_started) == ("unchanged", False)
    assert bank.versions() == before
    assert len(bank.warehouse.publications) == 1


def test_gated(house: House) -> None:
    """What fails its suite is neither published nor what readers resolve; its correction is."""
    bank = opened(house)
    served = bank.run().publication_id

    bad = bank.deliver(PAYMENT_FILE.format("120000000"), cdc("U,p1,a1,-5.00,40", columns=PAYMENT)).run()

    assert (bad.status, type(bad.error)) == ("blocked", GateBlocked)
    assert "nobody pays a negative amount" in bad.message
    last = bank.workspace().control.last_publication()
    assert last is not None and last["publication_id"] == served
    version = json.loads(last["marts"])["paid"]["version"]
    seen = bank.spark.read.format("delta").option("versionAsOf", version).load(bank.workspace().paths.mart("paid"))
    assert rows_of(seen.select("payment_id", "amount")) == [("p1", "5.00"), ("p2", "6.00")]

    assert (
        bank.deliver(PAYMENT_FILE.format("130000000"), cdc("U,p1,a1,4.00,50", columns=PAYMENT)).run().status
        == "published"
    )
    assert len(bank.warehouse.publications) == 2


def test_traceable(house: House) -> None:
    """A published row leads to its batch and to the very line of the delivered file; a number to its run."""
    bank = opened(house)
    report = bank.run()

    workspace = bank.workspace()
    row = bank.mart("paid").where("payment_id = 'p1'").first()
    assert row is not None
    batch = workspace.control.finished_batches("payments")[row["batch_id"]]
    assert [o["path"] for o in json.loads(batch["objects"])] == [row["object"]]
    assert workspace.objects.read(row["object"]).decode().splitlines()[1 + row["ordinal"]] == "I,p1,a1,5.00,20"
    assert row["extracted_at"] is not None

    [publication] = bank.warehouse.publications
    assert (publication.publication_id, publication.run_id) == (report.publication_id, report.run_id)
    assert publication.config_fingerprint == workspace.pipeline.fingerprint
    assert set(publication.delta_versions) == {"paid", "silver.accounts", "silver.payments"}
    assert "nobody pays a negative amount" in publication.suite_results_json


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(cdc("I,a7,Eve,EUR,1.00,70"), id="other content under a known name"),
        pytest.param(b"", id="an emptied file"),
    ],
)
def test_fail_closed(house: House, bad: str | bytes) -> None:
    """A contradiction is never guessed: the object is refused and said so, and everything else goes on."""
    bank = opened(house)
    bank.run()
    before = rows_of(bank.silver("accounts"))
    bank.deliver(ACCOUNT_FILE.format("100000000"), bad)
    bank.deliver(PAYMENT_FILE.format("120000000"), cdc("I,p4,a1,8.00,40", columns=PAYMENT))

    report = bank.run()

    assert (report.status, report.exit_code) == ("published", 8)
    assert [(o.table, o.refused.source_name) for o in report.untaken.objects] == [
        ("accounts", ACCOUNT_FILE.format("100000000").removeprefix("db/"))
    ]
    assert rows_of(bank.silver("accounts")) == before
    assert ("p4", "a1", "8.00") in rows_of(bank.silver("payments"))
    assert bank.run().exit_code == 8
