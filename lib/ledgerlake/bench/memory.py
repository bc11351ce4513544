"""How much memory one large DMS batch takes: a fresh ``ledgerlake run``, watched from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from ledgerlake.bench.contenders import DAY, write_project
from ledgerlake.bench.data import changes
from ledgerlake.bench.processes import resident_bytes
from ledgerlake.bench.reader_files import FORMATS

LOAD_ROWS, HEAP = 1_000_000, "1g"
LIMIT_GIB = 2.0
_INTERVAL_S = 0.2


def loaded_in(folder: Path, console: Console, rows: int = LOAD_ROWS) -> dict[str, float]:
    """Load ``rows`` DMS changes in a new process; return its seconds and the most its processes held together."""
    _write(folder, rows)
    command = [sys.executable, "-m", "ledgerlake", "--project", str(folder), "run", "bench", "--date", DAY.isoformat()]
    started = time.monotonic()
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        most = 0
        while process.poll() is None:
            most = max(most, resident_bytes(process.pid))
            time.sleep(_INTERVAL_S)
    took = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"the run failed: see {folder / 'run.log'}")
    gib = most / (1 << 30)
    console.print(
        f"{rows:,} DMS changes in {took:.1f} s, at most {gib:.2f} GiB resident over all processes"
        f" (goal {LIMIT_GIB:.0f} GiB; Java heap {HEAP})"
    )
    return {"rows": rows, "seconds": round(took, 1), "resident GiB": round(gib, 2)}


def _write(folder: Path, rows: int) -> None:
    write_project(folder)
    environment, pipeline = folder / "conf/environments/local.yml", folder / "conf/pipelines/bench/pipeline.yml"
    environment.write_text(environment.read_text().replace("driver_memory: 4g", f"driver_memory: {HEAP}"))
    pipeline.write_text(pipeline.read_text().replace("feed: event_export", "feed: dms"))
    form = FORMATS["dms csv"]
    records = changes(5_000_000, rows, 0, local=True)
    half = -(-rows // 2)
    for number in range(2):
        path = folder / "sources" / "payments" / form.name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(form.write(records[number * half : (number + 1) * half], number * half))
