"""The shape of a hostile sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Hostile:
    """Input that a pipeline must survive, and what must become of it.

    ``files`` are objects by their path below the table's resource. ``outcome`` says whether the
    object is refused at landing, its rows are quarantined, or it is accepted; ``says`` is part
    of the reason that is shown, empty where it is accepted.
    """

    name: str
    files: Mapping[str, bytes]
    outcome: Literal["refused", "quarantined", "accepted"]
    says: str = ""
