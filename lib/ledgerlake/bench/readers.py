"""How fast each feed reads what was landed, beside Spark's plain reader on the same files.

Both write to the noop sink in one session in which a task reads one whole file; they take
turns. The feed gives positions, operations and problems, the plain reader only fields.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid

from ledgerlake.bench.contenders import open_project, write_project
from ledgerlake.bench.data import TYPES, changes
from ledgerlake.bench.reader_files import FORMATS, Format, Record
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Source, Table
from ledgerlake.engines.door import Engines
from ledgerlake.feeds.base import Feed, Reading
from ledgerlake.feeds.files import FileFeed
from ledgerlake.feeds.frames import reading_session
from ledgerlake.feeds.parquet_files import parquet_layout
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.landing.manifest import LandedObject, Layout
from ledgerlake.ports.objects import LocalObjects, content_hash

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FILES, WARM_UPS = 2, 4
GOAL_PERCENT = 60
_AT = datetime(2026, 2, 28, tzinfo=UTC)


@dataclass(frozen=True)
class Speed:
    """Median seconds of the plain reader and of the feed's."""

    plain_s: float
    feed_s: float

    @property
    def percent(self) -> float:
        """Return the feed's speed in percent of the plain reader's."""
        return round(100 * self.plain_s / self.feed_s, 1)


def bench_readers(folder: Path, console: Console, *, rounds: int, feeds: tuple[str, ...] = ()) -> dict[str, float]:
    """Measure the feeds (all, or those whose name starts with one of ``feeds``) and return figure → value."""
    write_project(folder / "project")
    spark = reading_session(open_project(folder / "project").spark())
    chosen = {n: f for n, f in FORMATS.items() if not feeds or n.startswith(feeds)}
    records = changes(5_000_000, max(f.rows for f in chosen.values()), 0, local=True)
    speeds = {n: measure(spark, f, folder / n.replace(" ", "_"), records[: f.rows], rounds) for n, f in chosen.items()}
    _show(console, speeds)
    return {f"{name} {what}": value for name, s in speeds.items() for what, value in _figures(s)}


def _figures(speed: Speed) -> Iterator[tuple[str, float]]:
    yield from (("plain s", speed.plain_s), ("feed s", speed.feed_s), ("percent", speed.percent))


def measure(spark: SparkSession, form: Format, folder: Path, records: Sequence[Record], rounds: int) -> Speed:
    """Return the medians of ``rounds`` rounds, interleaved, after some to warm up."""
    table = table_of(form)
    objects = landed(form, table, folder, records)
    reading = Reading(table, objects, LocalObjects(folder.absolute()), form.source)
    paths = [str(folder / o.path) for o in objects]
    engines = Engines(Environment(environment="bench", lake=str(folder), sources=str(folder)), lambda: spark)
    ways: dict[str, Callable[[], DataFrame]] = {
        "plain": lambda: spark.read.schema(form.schema).load(paths, format=form.reader, **_plain_options(form)),
        "feed": lambda: engines.frame(FEEDS[form.feed].read(engines, reading)),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + WARM_UPS):
        for name, frame in ways.items():
            started = time.monotonic()
            frame().write.format("noop").mode("overwrite").save()
            if round_ >= WARM_UPS:
                took[name].append(time.monotonic() - started)
    return Speed(*(round(statistics.median(took[name]), 3) for name in ways))


def _plain_options(form: Format) -> dict[str, str]:
    return {"header": "true"} if form.reader == "csv" else {}


def table_of(form: Format) -> Table:
    """Return the declared table of payments as a format's feed delivers it."""
    columns = [{"name": n, "type": t, "nullable": n != "id", **form.columns.get(n, {})} for n, t in TYPES.items()]
    declared = {"table": "payments", "source": "s", "resource": form.resource, "key": ["id"], "columns": columns}
    return Table.model_validate(declared | dict(form.table))


def landed(form: Format, table: Table, folder: Path, records: Sequence[Record]) -> tuple[LandedObject, ...]:
    """Write the records as landed objects of one feed; its own probe accepts each and gives the layout."""
    feed, size = FEEDS[form.feed], -(-len(records) // FILES)
    source = Source(feed=form.feed, location=".", options=dict(form.source))
    found = []
    for number in range(FILES):
        body = form.write(records[number * size : (number + 1) * size], number * size)
        name, digest = form.name(number), content_hash(body)
        path = f"landing/bench/payments/{digest[:16]}/{name}"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
        layout = _layout(feed, form, source, table, name, body)
        found.append(LandedObject(path, name, digest, len(body), _AT, layout))
    return tuple(found)


def _layout(feed: Feed, form: Format, source: Source, table: Table, name: str, body: bytes) -> Layout:
    """Return a file's layout; queries are no file feed, and say when landing what is in a file."""
    if isinstance(feed, FileFeed):
        return feed.probe(source, table)(name, body)
    return parquet_layout(name, body, table) if form.feed == "query" else ()


def _show(console: Console, speeds: dict[str, Speed]) -> None:
    grid = Grid(title=f"reading changes of {len(TYPES)} columns", title_justify="left")
    for name in ("feed", "changes", "plain reader s", "feed s", f"% of plain (goal {GOAL_PERCENT})"):
        grid.add_column(name, justify="left" if name == "feed" else "right")
    for name, speed in sorted(speeds.items(), key=lambda item: item[1].percent):
        grid.add_row(
            name, f"{FORMATS[name].rows:,}", f"{speed.plain_s:.2f}", f"{speed.feed_s:.2f}", f"{speed.percent:.0f}"
        )
    console.print(grid)
