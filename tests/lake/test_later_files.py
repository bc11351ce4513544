"""What is dated after the day of a run waits for its day, and the plan and the run say so."""

from __future__ import annotations

from datetime import date, timedelta

from house import DAY, House, cdc, rows_of
from ledgerlake.cli.running import summary
from ledgerlake.ops.plan import plan

FOLDER = "db/public/accounts"
NEXT, AFTER = DAY + timedelta(days=1), DAY + timedelta(days=2)


def three_days(bank: House) -> House:
    for day, hour, row in ((1, 10, "I,a1,Ann,EUR,1.00,10"), (2, 9, "U,a1,Ann,EUR,2.00,20"),
                           (2, 10, "U,a1,Ann,EUR,2.50,25"), (3, 9, "U,a1,Ann,EUR,3.00,30")):  # fmt: skip
        bank.deliver(f"{FOLDER}/202603{day:02d}-{hour:02d}0000000.csv", cdc(row))
    return bank


def waits(bank: House, day: date) -> tuple[int, int, date | None]:
    [found] = plan(bank.workspace(), day).tables
    return found.to_land, found.later, found.later_from


def test_the_plan_says_what_waits_and_for_which_day(bank: House) -> None:
    three_days(bank)

    assert waits(bank, DAY) == (1, 3, NEXT)
    assert waits(bank, NEXT) == (3, 1, AFTER)
    assert waits(bank, AFTER) == (4, 0, None)
    assert waits(bank, date(2026, 1, 1)) == (0, 4, DAY)


def test_a_run_says_what_it_left_for_later_days_until_they_come(bank: House) -> None:
    three_days(bank)

    first, again, last = bank.run(DAY), bank.run(DAY), bank.run(AFTER)

    said = {"accounts": f"3 objects wait for later days, the first for {NEXT}"}
    assert [summary(r)["waiting"] for r in (first, again, last)] == [said, said, {}]
    assert rows_of(bank.silver("accounts")) == [("a1", "Ann", "EUR", "3.000")]
    assert waits(bank, DAY) == (0, 0, None)  # what was landed waits no more
