"""What was delivered and not taken: said in every run until it is settled, judged again when its declaration is mended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from house import ACCOUNTS, PAYMENTS, SOURCES, House, cdc, rows_of
from ledgerlake.errors import ConfigError
from ledgerlake.ops.decisions import DISMISSED, REQUESTED, decide
from ledgerlake.ops.untaken import untaken

FIRST = "db/public/accounts/20260301-100000000.csv"
SECOND = "db/public/accounts/20260301-110000000.csv"
WIDER = cdc("I,a1,Ann,EUR,1.00,gold,10", columns="account_id,owner,currency,balance,tier")
STRICT = ACCOUNTS.replace("key: [account_id]", "key: [account_id]\non_new_column: refuse")
MENDED = STRICT + "  - {name: tier, type: string}\n"
SEMICOLONS = """
pipeline: bank
sources:
  files: {feed: csv, location: files, options: {delimiter: ";"}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PEOPLE = """
table: people
source: files
resource: people
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: name, type: string}
"""


def test_a_batch_with_a_column_that_nobody_declared_ends_with_an_exit_code_of_its_own_until_it_is_settled(
    house: House,
) -> None:
    bank = house.declare(SOURCES, STRICT).deliver(FIRST, WIDER)

    for _ in range(2):
        report = bank.run()
        assert (report.error, report.exit_code) == (None, 8)
        assert report.untaken.counts() == {"objects": 0, "batches": 1, "rows": 0, "held": 0}
    assert bank.workspace().control.read("runs")[-1]["status"] == "unchanged"
    assert '"not_taken": {"batches": 1' in bank.workspace().control.read("runs")[-1]["details"]


def test_a_batch_is_judged_again_when_its_declaration_is_mended(house: House) -> None:
    bank = house.declare(SOURCES, STRICT).deliver(FIRST, WIDER)
    bank.run()

    report = bank.declare(SOURCES, MENDED).run()

    assert (report.status, report.exit_code) == ("published", 0)
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "1.000", "gold")]
    assert untaken(bank.workspace()).in_words() == ""


def test_an_object_is_judged_again_when_the_delimiter_is_mended(house: House) -> None:
    files = house.declare(SEMICOLONS, PEOPLE).deliver("files/people/2026-03-01.csv", "id,name\n1,Ann\n")
    before = files.run()
    assert (before.exit_code, before.untaken.counts()["objects"] + before.untaken.counts()["batches"]) == (8, 1)

    report = files.declare(SEMICOLONS.replace(', options: {delimiter: ";"}', ""), PEOPLE).run()

    assert (report.status, report.exit_code) == ("published", 0)
    assert rows_of(files.silver("people")) == [("1", "Ann")]


def test_what_was_judged_again_and_refused_again_is_open_again_and_not_judged_for_ever(house: House) -> None:
    bank = house.declare(SOURCES, STRICT).deliver(FIRST, WIDER)
    bank.run()
    [batch] = untaken(bank.workspace()).batches
    bank.decide(REQUESTED, batch["batch_id"])

    again, idle = bank.run(), bank.run()

    assert [b["status"] for b in again.batches] == ["quarantined"]
    assert (idle.status, idle.batches, idle.exit_code) == ("unchanged", [], 8)
    bank.decide(REQUESTED, batch["batch_id"])  # the new refusal can be decided on anew


def test_a_dismissed_batch_stays_on_record_and_no_run_speaks_of_it_again(house: House) -> None:
    bank = house.declare(SOURCES, STRICT).deliver(FIRST, WIDER)
    bank.run()
    bank.decide(DISMISSED, reason="a test file of the source")

    report = bank.run()

    assert (report.status, report.exit_code) == ("unchanged", 0)
    [decision] = bank.workspace().control.read("decisions")
    assert (decision["kind"], decision["action"], decision["reason"]) == (
        "batch",
        "dismissed",
        "a test file of the source",
    )
    bank.declare(SOURCES, MENDED).run()
    assert rows_of(bank.silver("accounts")) == []


def test_a_refused_object_can_be_dismissed(bank: House) -> None:
    bank.deliver(FIRST, "account_id\n1\n")  # no Op
    assert bank.run().exit_code == 8
    bank.decide(DISMISSED, reason="not ours")

    assert bank.run().exit_code == 0


def test_a_refused_object_whose_name_was_delivered_well_later_is_settled(bank: House) -> None:
    bank.deliver(FIRST, cdc('I,a1,"Ann')[:-1])
    assert bank.run().exit_code == 8

    report = bank.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10")).run()

    assert (report.status, report.exit_code) == ("published", 0)
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "1.000")]


@pytest.mark.parametrize(
    ("declared", "code"),
    [("", 0), ("on_refusal: rows\n", 8), ("on_refusal: deliveries\n", 0), ("on_refusal: report\n", 0)],
)
def test_a_quarantined_row_ends_a_run_with_an_exit_code_where_the_pipeline_says_so(
    house: House, declared: str, code: int
) -> None:
    bank = house.declare(SOURCES + declared, ACCOUNTS).deliver(FIRST, cdc("I,a1,Ann,EUR,x,10", "I,a2,Bob,EUR,1.00,11"))

    report = bank.run()

    assert (report.status, report.exit_code) == ("published", code)
    assert report.untaken.in_words() == "1 rows quarantined"


def test_a_pipeline_may_want_to_be_told_only(house: House) -> None:
    bank = house.declare(SOURCES + "on_refusal: report\n", STRICT).deliver(FIRST, WIDER)

    report = bank.run()

    assert (report.exit_code, report.untaken.in_words()) == (0, "1 batches quarantined")


def test_of_six_who_decide_about_one_row_at_once_the_first_decision_holds_and_the_others_are_told(bank: House) -> None:
    bank.deliver(FIRST, cdc("I,a1,Ann,EUR,x,10")).run()
    workspaces = [bank.workspace() for _ in range(6)]
    subjects = untaken(workspaces[0]).subjects()
    told: list[tuple[int, int]] = []

    def act(number: int) -> None:
        action = REQUESTED if number % 2 else DISMISSED
        done, earlier = decide(workspaces[number], subjects, action, f"person {number}", "because")
        told.append((len(done), len(earlier)))

    threads = [threading.Thread(target=act, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [(0, 1)] * 5 + [(1, 0)]
    assert len(bank.workspace().control.read("decisions")) == 1


PARQUET = SOURCES.replace("{sequence_column: seq}", "{sequence_column: seq, format: parquet}")


def as_parquet(**columns: object) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.table({"Op": ["I"], **columns}), sink)
    return sink.getvalue()


def test_one_file_that_cannot_be_read_takes_no_good_one_with_it(house: House) -> None:
    """Its footer is whole, so it lands; its pages are not."""
    bank = house.declare(PARQUET, ACCOUNTS)
    good = as_parquet(account_id=["a1"], owner=["Ann"], currency=["EUR"], balance=["1.00"], seq=["10"])
    bad = bytearray(as_parquet(account_id=["a2"], owner=["Bob"], currency=["EUR"], balance=["2.00"], seq=["11"]))
    bad[4:60] = b"\xff" * 56
    bank.deliver(FIRST.replace("csv", "parquet"), bytes(bad)).deliver(SECOND.replace("csv", "parquet"), good)

    report = bank.run()

    assert (report.status, report.exit_code) == ("published", 8), report.message
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "1.000")]
    assert report.untaken.counts()["batches"] + report.untaken.counts()["objects"] == 1
    assert bank.run().exit_code == 8


def test_a_table_that_never_got_an_object_is_an_empty_one_to_marts(house: House) -> None:
    pipeline = SOURCES.replace("publication:", """marts:
  - {mart: paid, sql: marts/paid.sql, key: [account_id], inputs: [{table: accounts}, {table: payments}]}
publication:""")  # fmt: skip
    sql = "SELECT a.account_id, count(p.payment_id) AS payments FROM accounts a LEFT JOIN payments p USING (account_id) GROUP BY 1"
    bank = house.declare(pipeline, ACCOUNTS, PAYMENTS, marts__paid=sql).deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10"))

    assert bank.run().status == "published"
    assert rows_of(bank.mart("paid")) == [("a1", 0)]


CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "integer to bigint": (lambda t: t.replace("type: integer", "type: bigint"), "number is loaded as integer and declared as bigint"),
    "decimal scale": (lambda t: t.replace("decimal(18,2)", "decimal(18,4)"), r"amount is loaded as decimal\(18,2\) and declared as decimal\(18,4\)"),
    "integer to decimal": (lambda t: t.replace("type: integer", 'type: "decimal(9,2)"'), "number is loaded as integer"),
    "text to number": (lambda t: t.replace("note, type: string", "note, type: integer"), "note is loaded as string and declared as integer"),
    "key": (lambda t: t.replace("key: [id]", "key: [id, number]"), "`key` is loaded as id and declared as id, number"),
    "append_only": (lambda t: t + "append_only: true\n", "`append_only` is loaded as false and declared as true"),
}  # fmt: skip
LOADED = """
table: things
source: db
resource: public/things
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: number, type: integer, nullable: false}
  - {name: amount, type: "decimal(18,2)"}
  - {name: note, type: string}
"""


@pytest.mark.parametrize("name", CHANGES)
def test_a_declaration_that_contradicts_what_is_loaded_is_refused_at_the_start_and_can_be_taken_back(
    houses: Callable[[str], House], name: str
) -> None:
    change, said = CHANGES[name]
    things = houses("things").declare(SOURCES, LOADED, ACCOUNTS)
    row = cdc("I,t1,7,1.50,n,10", columns="id,number,amount,note")
    assert things.deliver("db/public/things/20260301-100000000.csv", row).run().status == "published"
    before = things.versions()

    things.deliver(FIRST, cdc("I,a1,Ann,EUR,1.00,10"))
    report = things.declare(SOURCES, change(LOADED), ACCOUNTS).run()

    assert (report.status, type(report.error)) == ("failed", ConfigError)
    with pytest.raises(ConfigError, match=said):
        raise report.error or AssertionError
    assert "restore the declaration; or declare it as a table of another name" in report.message
    after = things.versions()
    assert {t: v for t, v in after.items() if "things" in t} == {t: v for t, v in before.items() if "things" in t}
    assert rows_of(things.silver("accounts")) == [("a1", "Ann", "EUR", "1.000")]  # other tables go on
    assert things.declare(SOURCES, LOADED, ACCOUNTS).run().status == "published"
