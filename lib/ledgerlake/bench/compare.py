"""Runs the contenders interleaved and prints medians and ratios to the blind append."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from ledgerlake.bench.contenders import DAY, Contender, gated, open_project, plain_contenders, write_project
from ledgerlake.bench.data import changes, write_batch
from ledgerlake.bench.memory import loaded_in
from ledgerlake.bench.readers import bench_readers

BATCH_ROWS = 55_000
YARDSTICK = "blind append"
Seconds = dict[str, list[float]]


def bench(project: Path, console: Console, *, rounds: int, rows: int) -> dict[str, dict[str, float]]:
    """Measure both key patterns, the readers and the cold start; print tables and keep them as JSON."""
    folder = _emptied(project)
    medians = {}
    for pattern in ("time-local", "random"):
        medians[pattern] = _medians(measure(folder / pattern, console, pattern, rounds, rows))
        _show(console, pattern, medians[pattern], rows)
        shutil.rmtree(folder / pattern, ignore_errors=True)
    medians["readers"] = bench_readers(folder / "readers", console, rounds=rounds)
    cold = cold_start(folder / "cold")
    console.print(f"whole command from a cold start, 1,000 changes: {cold:.1f} s")
    medians["cold start"] = {"ledgerlake run": cold}
    _keep(folder, console, medians)
    return medians


def bench_readers_only(project: Path, console: Console, *, rounds: int, feeds: tuple[str, ...]) -> None:
    """Measure the readers alone; none named means all."""
    folder = _emptied(project)
    _keep(folder, console, {"readers": bench_readers(folder / "readers", console, rounds=rounds, feeds=feeds)})


def bench_memory(project: Path, console: Console) -> None:
    """Measure how much memory a large load takes, in a process of its own."""
    folder = _emptied(project)
    _keep(folder, console, {"memory": loaded_in(folder / "memory", console)})


def _emptied(project: Path) -> Path:
    folder = project.absolute() / ".local" / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _keep(folder: Path, console: Console, figures: dict[str, dict[str, float]]) -> None:
    (folder / "results.json").write_text(json.dumps(figures, indent=1))
    console.print(f"results: {folder / 'results.json'}")


def measure(folder: Path, console: Console, pattern: str, rounds: int, rows: int) -> Seconds:
    """Return the seconds of every contender, one warm-up and ``rounds`` rounds, taking turns."""
    write_project(folder / "project")
    spark = open_project(folder / "project").spark()
    console.print(f"{pattern}: making targets of {rows:,} rows")
    contenders = [*plain_contenders(spark, folder / "targets", rows), gated(folder / "project", rows)]
    seconds: Seconds = {k.name: [] for k in contenders}
    for round_ in range(rounds + 1):
        records = changes(rows, BATCH_ROWS, round_, local=pattern == "time-local")
        batch = write_batch(records, folder / "project" / "sources", round_ * BATCH_ROWS)
        # Turns rotate, so that none always runs behind the same neighbour.
        for contender in contenders[round_ % len(contenders) :] + contenders[: round_ % len(contenders)]:
            took = _timed(contender, batch)
            if round_:
                seconds[contender.name].append(took)
        console.print(f"  round {round_} of {rounds}")
    return seconds


def _timed(contender: Contender, batch: Path) -> float:
    started = time.monotonic()
    contender.load(batch)
    return time.monotonic() - started


def cold_start(folder: Path) -> float:
    """Return the seconds of ``ledgerlake run`` as a new process over 1,000 changes."""
    write_project(folder)
    write_batch(changes(30_000, 1_000, 0, local=True), folder / "sources", 0)
    command = [sys.executable, "-m", "ledgerlake", "--project", str(folder), "run", "bench", "--date", DAY.isoformat()]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return time.monotonic() - started


def _medians(seconds: Seconds) -> dict[str, float]:
    return {name: round(statistics.median(taken), 3) for name, taken in seconds.items()}


def _show(console: Console, pattern: str, medians: dict[str, float], rows: int) -> None:
    grid = Grid(title=f"{pattern} keys: {BATCH_ROWS:,} changes into {rows:,} rows", title_justify="left")
    for name in ("way", "median s", "× blind append"):
        grid.add_column(name, justify="left" if name == "way" else "right")
    for name, median in medians.items():
        grid.add_row(name, f"{median:.2f}", f"{median / medians[YARDSTICK]:.1f}")
    console.print(grid)
