"""The benchmark's files are what the feeds accept, and its measure of memory sees child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ledgerlake.bench.data import changes
from ledgerlake.bench.processes import cpu_seconds, resident_bytes
from ledgerlake.bench.reader_files import FORMATS
from ledgerlake.bench.readers import landed, table_of

_CHILD_BYTES = 64 << 20


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_benchmark_passes_its_feeds_own_probe(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    objects = landed(form, table_of(form), tmp_path, changes(3000, 40, 0, local=True))
    assert [(tmp_path / o.path).stat().st_size for o in objects] == [o.size_bytes for o in objects]
    assert len({o.path for o in objects}) == 2


def test_the_memory_of_a_process_includes_its_children() -> None:
    code = f"b = bytearray({_CHILD_BYTES}); print('ready', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        alone, together = resident_bytes(child.pid), resident_bytes(os.getpid())
        child.communicate(b"\n")
    assert alone > _CHILD_BYTES
    assert together > alone


def test_processor_time_grows_with_work_and_not_with_waiting() -> None:
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < before + 0.05:  # bounded by the machine: work is all that ends it
        sum(range(100_000))
    assert cpu_seconds(os.getpid()) >= before + 0.05
