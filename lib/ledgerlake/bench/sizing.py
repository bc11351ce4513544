"""From measured figures to a cluster: how many vCPUs, what a day costs, how late the last events are. Pure.

The model is deliberately plain, and every constant that was not measured stands in
:class:`Assumptions`: a batch costs a fixed part and a part per event; an EMR vCPU does what a
core here did; work spreads over executors evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from ledgerlake.emr.cost import LIST_PRICES, Prices, Utilization, cost_usd

DAY_S = 86_400


@dataclass(frozen=True)
class Measured:
    """One batch size on this machine; CPU seconds are of Python and Java together, bytes are of data files."""

    events: int
    load_cpu_s: float
    load_wall_s: float
    marts_cpu_s: float
    marts_wall_s: float
    bytes_in: int
    bronze_bytes: int
    silver_bytes: int
    mart_bytes: int
    mart_rows: int
    new_mart_rows: int
    files: int
    commits: int


@dataclass(frozen=True)
class Line:
    """A cost that grows with the number of events: ``fixed`` per batch and ``each`` per event."""

    fixed: float
    each: float

    @classmethod
    def through(cls, small: tuple[int, float], large: tuple[int, float]) -> Line:
        """Return the line through two measurements (events, cost); nothing is ever cheaper than free."""
        each = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
        return cls(max(0.0, small[1] - each * small[0]), each)

    def at(self, events: float) -> float:
        """Return the cost of a batch."""
        return self.fixed + self.each * events


@dataclass(frozen=True)
class Assumptions:
    """What was not measured here.

    ``start_s``: from submission to the first task on pre-initialised capacity. ``use``: the share
    of billed vCPU time that does work. ``driver_vcpus`` and ``memory_gb_per_vcpu``: what is
    billed beside.
    """

    start_s: float = 20.0
    use: float = 0.6
    driver_vcpus: int = 4
    memory_gb_per_vcpu: float = 4.0
    target_file_bytes: int = 128 << 20
    files_per_batch_min: int = 2


@dataclass(frozen=True)
class Plan:
    """One rate and interval: the size, the price of a day, the latency, and what accumulates."""

    events_per_s: int
    interval_s: int
    vcpus: int
    usd_per_day: Decimal
    p95_s: float
    commits_per_day: int
    files_per_day: int


def plan(
    events_per_s: int, interval_s: int, cpu: Line, wall_fixed_s: float, bytes_per_event: float,
    given: Assumptions = Assumptions(), prices: Prices = LIST_PRICES,
) -> Plan:  # fmt: skip
    """Return what it takes to bring in every interval's events before the next interval ends.

    ``cpu`` is the processor time of a batch, ``wall_fixed_s`` the part of its duration that more
    vCPUs do not shorten. The 95th percentile of latency is that of the waiting for the batch
    (evenly spread over the interval), then the start, then the batch.
    """
    batch = events_per_s * interval_s
    available = max(1.0, interval_s - given.start_s - wall_fixed_s)
    vcpus = 4 * ceil(cpu.each * batch / (available * given.use) / 4) + given.driver_vcpus
    busy_s = wall_fixed_s + cpu.each * batch / ((vcpus - given.driver_vcpus) * given.use)
    batches = DAY_S // interval_s
    hours = Decimal(str(round(batches * min(interval_s, given.start_s + busy_s) / 3600, 6)))
    used = Utilization(vcpus * hours, Decimal(str(vcpus * given.memory_gb_per_vcpu)) * hours)
    files = max(given.files_per_batch_min, ceil(batch * bytes_per_event / given.target_file_bytes))
    return Plan(
        events_per_s, interval_s, vcpus, cost_usd(used, prices), round(0.95 * interval_s + given.start_s + busy_s, 1),
        batches, batches * files,
    )  # fmt: skip


def mart_vcpus(
    events_per_s: int, interval_s: int, partition_s: int, cpu_s_per_event: float, given: Assumptions = Assumptions()
) -> int:
    """Return the vCPUs that keep marts fresh every interval; ``cpu_s_per_event`` is for one event rebuilt once."""
    rebuilt = events_per_s * rebuilt_per_event(interval_s, partition_s)
    return 4 * ceil(rebuilt * cpu_s_per_event / given.use / 4)


def rebuilt_per_event(interval_s: int, partition_s: int) -> float:
    """Return how many rows a mart rewrites per new row, on average, where each batch rebuilds its open partition.

    A partition of ``partition_s`` seconds is rebuilt once per interval, and holds on average half
    of its rows while it is open.
    """
    batches = max(1, partition_s // interval_s)
    return (batches + 1) / 2
