"""What a process and its descendants use, read from /proc: Python and Java together."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


def resident_bytes(root: int) -> int:
    """Return the resident memory of a process and all its descendants; 0 where there is no /proc.

    Pages that the processes share count for each of them, so the sum is an upper bound.
    """
    return sum(int(fields[21]) * _PAGE_BYTES for fields in _family(root))


def cpu_seconds(root: int) -> float:
    """Return the processor time of a process and its living descendants, in seconds; 0 where there is no /proc.

    Waiting for a busy machine does not count, so it can be compared where wall time cannot.
    """
    return sum(int(fields[11]) + int(fields[12]) for fields in _family(root)) / _TICKS


def _family(root: int) -> list[list[str]]:
    """Return the numbered fields of /proc/PID/stat, from the third on, of a process and its descendants."""
    parents: dict[int, int] = {}
    stats: dict[int, list[str]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name stands in brackets and may hold spaces: the numbered fields come after it.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        parents[int(entry.name)], stats[int(entry.name)] = int(fields[1]), fields
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return [stats[pid] for pid in family if pid in stats]
