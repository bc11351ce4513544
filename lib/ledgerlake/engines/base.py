"""What all engines share: how it is said that a query, or its rows, are not for the engine in this process."""

from __future__ import annotations


class Unsupported(Exception):
    """A construct whose meaning in this process is not proven to be Spark's; ``line`` counts from 1, 0 is unknown."""

    def __init__(self, construct: str, line: int = 0) -> None:
        super().__init__(construct)
        self.construct, self.line = construct, line


class NotHere(Exception):
    """What the rows hold makes a query one for Spark: an overflow, a text that engines read differently, memory."""
