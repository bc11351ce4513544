"""Who holds a lease: one attempt of one process, and whether it can still be working.

A process is known by its machine's boot, its namespace of process ids, its id and its start.
Container hosts share names and process ids repeat; only where all of these agree is anything
said of a process that is not this one (Linux, ``proc(5)``).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


@dataclass(frozen=True)
class Attempt:
    """One attempt; ``facts`` stand in the lease that it holds."""

    facts: Mapping[str, Any]

    def is_gone(self, other: Mapping[str, Any]) -> bool:
        """Say whether another attempt was a process beside this one that no longer runs."""
        place = ("boot", "pids")
        if any(not self.facts.get(k) or self.facts.get(k) != other.get(k) for k in place):
            return False
        return _started(int(other["pid"])) != other.get("started")

    def follows(self, other: Mapping[str, Any]) -> bool:
        """Say whether another attempt belongs to the same job, whose service runs one attempt at a time."""
        return bool(self.facts.get("job")) and self.facts.get("job") == other.get("job")

    def describe(self, other: Mapping[str, Any]) -> str:
        """Return in words where another attempt runs."""
        if other.get("job"):
            return f"job {other['job']}"
        return f"process {other['pid']} on {other['host']}" if other.get("pid") else "its record is unreadable"


def this_attempt() -> Attempt:
    """Return this process as an attempt."""
    pid = os.getpid()
    return Attempt(
        {
            "host": socket.gethostname(), "pid": pid, "started": _started(pid), "boot": _text("sys/kernel/random/boot_id"),
            "pids": _link("self/ns/pid"), "job": os.environ.get("EMR_SERVERLESS_JOB_RUN_ID", ""),
        }
    )  # fmt: skip


def _started(pid: int) -> str:
    """Return when a process was started, in ticks since boot; empty where there is none, or it is a zombie."""
    fields = _text(f"{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


def _text(name: str) -> str:
    try:
        return (_PROC / name).read_text().strip()
    except OSError:
        return ""


def _link(name: str) -> str:
    try:
        return os.readlink(_PROC / name)  # noqa: PTH115 - not a path, but a name such as pid:[4026531836]
    except OSError:
        return ""
