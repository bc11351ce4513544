"""Every error ledgerlake raises on purpose, and nothing else.

::

    LedgerlakeError            what, where, what next
    ├── TerminalError          trying again does not help
    │   ├── ConfigError        a declaration is wrong                       exit 2
    │   ├── SourceError        a delivery is malformed or contradicts itself exit 3
    │   │   └── ContractError  a schema broke its contract                  exit 3
    │   ├── GateBlocked        a candidate failed its suite                 exit 4
    │   ├── AccountingError    read ≠ applied + superseded + duplicate + quarantined  exit 5
    │   ├── PublishError       Snowflake refused or did not hold what was sent exit 6
    │   ├── NotFoundError      the named run, batch, table or key is unknown exit 7
    │   └── UnexpectedError    a defect; a file holds the traceback         exit 1
    └── TransientError         the same call may succeed later              exit 75
        ├── StorageUnavailable the storage fails; tried again within a run  exit 75
        ├── LeaseHeld          another run writes this pipeline now         exit 75
        └── LeaseLost          this run slept, another may have gone on     exit 75

A run that did its work and left something that was delivered untaken (a refused object, a
quarantined batch; rows where the pipeline's ``on_refusal`` says so) ends with ``NOT_TAKEN_EXIT``.

Retry policy is a matter of type: only a ``TransientError`` is retried. No message ever holds
a secret or personal data: values are named by column and place, never printed, and the texts
go through ``discretion.hidden``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledgerlake.discretion import hidden

NOT_TAKEN_EXIT = 8
"""What a run answers that did its work, and left something that was delivered untaken."""


@dataclass(frozen=True)
class Where:
    """The place an error speaks of; every part is optional and none holds data values."""

    file: str | None = None
    line: int | None = None
    table: str | None = None
    column: str | None = None
    batch_id: str | None = None

    def __str__(self) -> str:
        spot = f"{self.file}:{self.line}" if self.file and self.line else (self.file or "")
        named = [f"{k} {v}" for k, v in vars(self).items() if v and k not in ("file", "line")]
        return ", ".join(([spot] if spot else []) + named)


NOWHERE = Where()


class LedgerlakeError(Exception):
    """What happened, where, and what to do next; ``exit_code`` is the process's answer."""

    exit_code = 1

    def __init__(self, what: str, *, where: Where = NOWHERE, then: str = "") -> None:
        self.what, self.then = hidden(what), hidden(then)
        self.where = replace(where, file=hidden(where.file)) if where.file else where
        place = str(self.where)
        super().__init__(self.what + (f" ({place})" if place else "") + (f". Next: {self.then}" if then else ""))


class TerminalError(LedgerlakeError):
    """Trying the same thing again will not help."""


class ConfigError(TerminalError):
    """A declaration (YAML, SQL, suite) is wrong."""

    exit_code = 2


class SourceError(TerminalError):
    """A delivery is malformed, ambiguous or contradicts itself; its table stops."""

    exit_code = 3


class ContractError(SourceError):
    """A delivered schema breaks the table's contract; its batch is quarantined."""


class GateBlocked(TerminalError):
    """A candidate failed a blocking expectation; the last good publication stays served."""

    exit_code = 4


class AccountingError(TerminalError):
    """The accounting identity of a batch does not hold."""

    exit_code = 5


class PublishError(TerminalError):
    """The warehouse refused a publication or does not hold what was sent."""

    exit_code = 6


class NotFoundError(TerminalError):
    """The named run, batch, table, key or publication is unknown."""

    exit_code = 7


class UnexpectedError(TerminalError):
    """Something that nobody foresaw: a defect of ledgerlake's, told in one line and kept in a file."""


class TransientError(LedgerlakeError):
    """The same call may succeed later; retried with backoff, then reported."""

    exit_code = 75


class StorageUnavailable(TransientError):
    """The storage answers with errors or not at all: a run repeats its steps a few times before it gives up."""


class LeaseHeld(TransientError):
    """Another run holds the pipeline's lease."""


class LeaseLost(TransientError):
    """This run's lease ended before its work: it touches nothing more."""
