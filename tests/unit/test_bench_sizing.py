"""What follows from measured figures: sizes, prices and latencies, by hand-checked arithmetic."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ledgerlake.bench.sizing import Assumptions, Line, mart_vcpus, plan, rebuilt_per_event
from ledgerlake.emr.cost import Prices

ALL_USED = Assumptions(start_s=10, use=1.0, driver_vcpus=4, memory_gb_per_vcpu=2, target_file_bytes=1000)
ROUND = Prices(vcpu_usd=Decimal("0.05"), memory_gb_usd=Decimal("0.005"))


def test_a_line_goes_through_two_measurements() -> None:
    line = Line.through((100, 3.0), (300, 5.0))
    assert (line.fixed, line.each) == (2.0, 0.01)
    assert line.at(500) == pytest.approx(7.0)


def test_a_batch_that_got_cheaper_with_size_costs_nothing_more_per_event() -> None:
    assert Line.through((100, 3.0), (300, 2.0)) == Line(3.0, 0.0)


def test_enough_vcpus_are_taken_to_end_before_the_next_interval_does() -> None:
    found = plan(1000, 60, Line(0, 0.001), 10, 1.0, ALL_USED, ROUND)

    # 60,000 events need 60 CPU seconds; 60 - 10 - 10 s are left for them: 1.5 vCPUs, four of an executor.
    assert found.vcpus == 4 + 4
    assert found.p95_s == pytest.approx(0.95 * 60 + 10 + 10 + 60 / 4)
    # 1,440 batches of 35 s: 14 hours of 8 vCPUs and 16 GB.
    assert found.usd_per_day == Decimal("14") * (8 * ROUND.vcpu_usd + 16 * ROUND.memory_gb_usd)
    assert (found.commits_per_day, found.files_per_day) == (1440, 1440 * 60)


def test_five_times_the_rate_takes_more_vcpus_and_never_fewer_files() -> None:
    low, high = (plan(rate, 300, Line(5, 0.0005), 10, 900) for rate in (5_000, 25_000))
    assert high.vcpus > low.vcpus and high.usd_per_day > low.usd_per_day and high.files_per_day >= low.files_per_day


@pytest.mark.parametrize(
    ("interval_s", "partition_s", "rows"), [(300, 86_400, 144.5), (300, 3_600, 6.5), (3_600, 3_600, 1)]
)
def test_an_open_partition_is_rebuilt_with_every_batch(interval_s: int, partition_s: int, rows: float) -> None:
    assert rebuilt_per_event(interval_s, partition_s) == rows


def test_marts_take_vcpus_by_the_rows_they_rebuild() -> None:
    # 5,000 events a second, each rebuilt 6.5 times, 40 µs a time: 1.3 vCPUs at work, all of them used.
    assert mart_vcpus(5_000, 300, 3_600, 0.00004, ALL_USED) == 4
    assert mart_vcpus(5_000, 300, 86_400, 0.00004, ALL_USED) == 32
