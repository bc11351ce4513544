"""How large must a cluster be for 5,000 and 25,000 events a second: measured here, computed from there.

Batches of events of 1 to 4 KB go through the pipeline ``tax_ledger`` as in production: landed,
judged, written once to bronze and silver, then every mart and suite. Counted are processor
seconds of the process tree (waiting does not count), data files, commits and bytes.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table as Grid

from ledgerlake.bench.processes import cpu_seconds
from ledgerlake.bench.sizing import Line, Measured, Plan, mart_vcpus, plan, rebuilt_per_event
from ledgerlake.config.load import load_environment, load_pipeline
from ledgerlake.demo.tax_ledger.model import RATES, Event, entries_of, event_id
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.extract import extract
from ledgerlake.ops.load import Loader
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.serve import Server
from ledgerlake.ops.settle import look
from ledgerlake.ports.clock import SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.publish.nowhere import Nowhere

SIZES = (20_000, 100_000)
RATES_PER_S = (5_000, 25_000)
INTERVALS_S = (60, 300, 900)
PIPELINE, DAY = "tax_ledger", date(2026, 3, 31)
SERVICE_FILES = 4
_BASE = datetime(2026, 3, 31, tzinfo=UTC)


def bench_scale(project: Path, console: Console, *, sizes: tuple[int, ...] = SIZES) -> None:
    """Measure each batch size in a fresh lake, then print and keep what follows from it."""
    folder = project.absolute() / ".local" / "bench" / "scale"
    shutil.rmtree(folder, ignore_errors=True)
    found = []
    for size in sizes:
        found.append(measure(folder / str(size), project, size))
        console.print(f"measured {size:,} events: {asdict(found[-1])}", soft_wrap=True)
    plans, marts = plans_from(found), marts_from(found)
    _show_measured(console, found)
    _show_computed(console, plans, marts)
    kept = {"measured": [asdict(m) for m in found], "computed": [asdict(p) for p in plans], "marts": marts}
    (folder / "results.json").write_text(json.dumps(kept, indent=1, default=str))
    console.print(f"results: {folder / 'results.json'}")


def measure(folder: Path, project: Path, size: int) -> Measured:
    """Load two batches of ``size`` events, the first to warm up and to have a past; return the second's figures."""
    _write_project(folder, project)
    nowhere = Nowhere()
    _round(folder, size, 0, nowhere)
    return _round(folder, size, 1, nowhere)


def plans_from(measured: list[Measured]) -> list[Plan]:
    """Return the computed sizes for loading ``ledger_events``, from the smallest and the largest batch."""
    small, large = measured[0], measured[-1]
    cpu = Line.through((small.events, small.load_cpu_s), (large.events, large.load_cpu_s))
    wall = Line.through((small.events, small.load_wall_s), (large.events, large.load_wall_s))
    stored = (large.bronze_bytes + large.silver_bytes) / large.events
    return [plan(rate, interval, cpu, wall.fixed, stored) for rate in RATES_PER_S for interval in INTERVALS_S]


def marts_from(measured: list[Measured]) -> list[dict[str, int]]:
    """Return the vCPUs that the marts take, per rate, freshness and size of partition."""
    small, large = (
        (round(m.events * m.mart_rows / m.new_mart_rows), m.marts_cpu_s) for m in measured[:: len(measured) - 1]
    )
    each = Line.through(small, large).each
    return [
        {"events_per_s": rate, "interval_s": fresh, "partition_s": size, "vcpus": mart_vcpus(rate, fresh, size, each)}
        for rate in RATES_PER_S
        for fresh, size in ((300, 86_400), (300, 3_600), (3_600, 3_600))
    ]


def events_json(size: int, number: int) -> list[str]:
    """Return ``size`` events of 1 to 4 KB, in the order of their recording; seeded."""
    rng = Random(f"scale:{number}")
    found, start = [], _BASE + timedelta(minutes=10 * number)
    for n in range(size):
        at = start + timedelta(microseconds=n * 500_000_000 // size)
        jurisdiction = list(RATES)[n // 3 % len(RATES)]
        currency, rate = RATES[jurisdiction]
        net = rng.randrange(100, 90_000) * 10
        tax, invoice = net * rate // 10_000, f"inv_{number}{n // 3:08d}"
        kind = ("invoice.finalised", "payment.received", "credit_note.issued")[n % 3]
        event = Event(
            event_id(at, rng), kind, f"service_{n % 3}", invoice, f"txn_{number}{n // 3:08d}", DAY, at, at,
            jurisdiction, currency, net, tax, entries_of(kind, net, tax), sequence=number * size + n // 3 + 1,
        )  # fmt: skip
        found.append(json.dumps(event.record() | {"evidence": rng.randbytes(rng.randrange(200, 1700)).hex()}))
    return found


def _round(folder: Path, size: int, number: int, nowhere: Nowhere) -> Measured:
    bytes_in = _deliver(folder / "sources" / "tax_ledger", size, number)
    workspace = _opened(folder)
    lake = Path(workspace.objects.uri)
    before = _contents(lake)

    def load() -> None:
        run_id = f"scale-{number}"
        assert not extract(workspace, run_id, DAY, Progress()), "every object must land"
        failures = Loader(workspace, run_id, workspace.now(), DAY, Progress()).load_all()
        assert not failures, str(failures)

    def serve() -> None:
        Server(workspace, f"scale-{number}", DAY, Progress(), nowhere, look(workspace, nowhere, "")).serve()

    load_cpu, load_wall = _spent(load)
    loaded = _contents(lake)
    marts_cpu, marts_wall = _spent(serve)
    served = _contents(lake)
    written = {k: v for k, v in loaded.items() if k not in before}
    rebuilt = {k: v for k, v in served.items() if k not in loaded and k.startswith("marts/")}
    data = {k: v for k, v in written.items() if k.endswith(".parquet") and k.startswith(("bronze/", "silver/"))}
    return Measured(
        size, load_cpu, load_wall, marts_cpu, marts_wall, bytes_in,
        sum(v for k, v in data.items() if k.startswith("bronze/")),
        sum(v for k, v in data.items() if k.startswith("silver/")),
        sum(v for k, v in rebuilt.items() if k.endswith(".parquet")),
        _rows(workspace, "postings"), (2 * size * 3 + size * 2) // 3,
        len(data), sum("/_delta_log/" in k and k.endswith(".json") for k in written),
    )  # fmt: skip


def _spent(work: Callable[[], None]) -> tuple[float, float]:
    """Return the CPU and wall seconds of some work."""
    cpu, wall = cpu_seconds(os.getpid()), time.monotonic()
    work()
    return round(cpu_seconds(os.getpid()) - cpu, 2), round(time.monotonic() - wall, 2)


def _rows(workspace: Workspace, mart: str) -> int:
    table = workspace.storage.open(workspace.paths.mart(mart))
    return sum(table.get_add_actions(flatten=True)["num_records"].to_pylist()) if table else 0


def _contents(lake: Path) -> dict[str, int]:
    return {str(p.relative_to(lake)): p.stat().st_size for p in lake.rglob("*") if p.is_file()}


def _deliver(sources: Path, size: int, number: int) -> int:
    """Write a batch's events and the control totals that fit them; return the events' bytes before compression."""
    lines = events_json(size, number)
    part = -(-size // SERVICE_FILES)
    for n in range(SERVICE_FILES):
        name = f"topics/ledger.events/t/dt={DAY}/t+{n}+{number * part:010d}.json.gz"
        _put(sources / name, gzip.compress("\n".join(lines[n * part : (n + 1) * part]).encode() + b"\n", 1, mtime=0))
    if number == 0:
        closes = b"close_id,period,closed_at,policy\nc1,2026-01,2026-02-05T00:00:00Z,reopen\n"
        columns = b"service,control_date,currency,revision,events,debits,sequence_first,sequence_last\n"
        _put(sources / f"finance/period_closes/{DAY}.csv", closes)
        _put(sources / f"finance/service_controls/{DAY}.csv", columns + b"other,2026-03-30,USD,1,0,0,1,1\n")
    return sum(len(line) + 1 for line in lines)


def _put(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def _write_project(folder: Path, project: Path) -> None:
    """Copy the pipeline's declarations; only the control totals, which nobody delivers here, are not judged."""
    for name in (f"conf/pipelines/{PIPELINE}", f"dq_suites/{PIPELINE}"):
        shutil.copytree(project / name, folder / name)
    file = folder / f"conf/pipelines/{PIPELINE}/pipeline.yml"
    file.write_text(file.read_text().replace("    suite: rpt_service_reconciliation\n", ""))
    environment = folder / "conf/environments/local.yml"
    environment.parent.mkdir(parents=True)
    environment.write_text(
        f"environment: local\nlake: {folder / 'lake'}\nsources: {folder / 'sources'}\nsnowflake_folder: snowflake\n"
        "spark: {driver_memory: 2g, shuffle_partitions: 2, table_threads: 2}\n"
    )


def _opened(folder: Path) -> Workspace:
    """Open the benchmark's project as a run does."""
    pipeline = load_pipeline(folder / "conf", folder / "dq_suites", PIPELINE)
    return Workspace(pipeline, load_environment(folder / "conf", "local"), ReferencedSecrets({}), SystemClock())


def _show_measured(console: Console, measured: list[Measured]) -> None:
    grid = Grid(title="measured on this machine, per batch", title_justify="left")
    for name in (
        "events",
        "KB each",
        "events/CPU s",
        "wall s",
        "silver × bronze bytes",
        "marts CPU s",
        "× rows rebuilt",
        "files",
        "commits",
    ):
        grid.add_column(name, justify="right")
    for m in measured:
        grid.add_row(
            f"{m.events:,}", f"{m.bytes_in / m.events / 1000:.1f}", f"{m.events / m.load_cpu_s:,.0f}", f"{m.load_wall_s:.1f}",
            f"{m.silver_bytes / m.bronze_bytes:.2f}", f"{m.marts_cpu_s:.1f}", f"{m.mart_rows / m.new_mart_rows:.2f}",
            str(m.files), str(m.commits),
        )  # fmt: skip
    console.print(grid)


def _show_computed(console: Console, plans: list[Plan], marts: list[dict[str, int]]) -> None:
    grid = Grid(title="computed from it: loading ledger_events", title_justify="left")
    for name in ("events/s", "interval s", "vCPUs", "USD/day", "P95 s", "commits/day", "files/day"):
        grid.add_column(name, justify="right")
    for p in plans:
        grid.add_row(
            f"{p.events_per_s:,}", str(p.interval_s), str(p.vcpus), f"{p.usd_per_day:,.0f}", f"{p.p95_s:,.0f}",
            f"{p.commits_per_day:,}", f"{p.files_per_day:,}",
        )  # fmt: skip
    console.print(grid)
    grid = Grid(title="computed from it: keeping every mart fresh", title_justify="left")
    for name in ("events/s", "fresh every s", "partition s", "× rows rebuilt", "vCPUs"):
        grid.add_column(name, justify="right")
    for m in marts:
        rebuilt = rebuilt_per_event(m["interval_s"], m["partition_s"])
        grid.add_row(
            f"{m['events_per_s']:,}", str(m["interval_s"]), str(m["partition_s"]), f"{rebuilt:,.1f}", f"{m['vcpus']:,}"
        )
    console.print(grid)
