"""Names derived from content: the same input has the same id on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


def fingerprint(value: object) -> str:
    """Return the SHA-256 (hex) of ``value``'s canonical JSON; dates and paths by their text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def batch_id(table: str, contents: Iterable[tuple[str, str]], config_fingerprint: str) -> str:
    """Return the id of a batch: ``contents`` are (source name, content hash) of its objects."""
    return "b-" + fingerprint([table, sorted(contents), config_fingerprint])[:24]


def release_batch_id(table: str, quarantine_ids: Iterable[str], config_fingerprint: str) -> str:
    """Return the id of a batch made of rows released from quarantine."""
    return "r-" + fingerprint([table, sorted(quarantine_ids), config_fingerprint])[:24]


def serving_state(tables: Mapping[str, tuple[str, int]], config_fingerprint: str) -> str:
    """Return the name of what marts are made from: each table's own id and version, and all declarations."""
    return fingerprint([{name: list(at) for name, at in tables.items()}, config_fingerprint])


def publication_id(pipeline: str, state: str, follows: Iterable[str]) -> str:
    """Return the id of the publication that serves ``state`` after others.

    ``follows`` are the publications that the lake and the warehouse served before: what goes back
    to an earlier state, and a lake that is built anew beside an old warehouse, are publications of
    their own.
    """
    return "p-" + fingerprint([pipeline, state, list(follows)])[:24]


@dataclass(frozen=True)
class RunKey:
    """One pipeline on one logical date: what a run is about."""

    pipeline: str
    date: date

    def __str__(self) -> str:
        return f"{self.pipeline}/{self.date.isoformat()}"
