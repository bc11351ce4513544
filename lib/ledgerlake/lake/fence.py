"""The fence: nothing that readers or later runs can see is written by a run that lost its lease.

Two things together make it hold. Before each such write the lease is checked. And each write is
made against the state that it was built from: a Delta commit takes the version after the one that
was read or fails, control records take the next number of their sequence, and the warehouse's
transaction begins with the publication that it follows. So a holder that falls asleep between the
check and the write finds its place taken, or comes first and whoever took over starts anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledgerlake.lake.leases import Lease


class Fence:
    """What a run's lease guards; where none is held (commands that only record a wish) everything passes."""

    def __init__(self) -> None:
        self._lease: Lease | None = None

    @contextmanager
    def guarded_by(self, lease: Lease) -> Iterator[None]:
        """Check ``lease`` inside the block, and for ever after it where it was lost."""
        self._lease = lease
        try:
            yield
        finally:
            if not lease.is_lost:
                self._lease = None

    def check(self, *, surely: bool = False) -> None:
        """Raise :class:`~ledgerlake.errors.LeaseLost` where the run must not write any more."""
        if self._lease is not None:
            self._lease.check(surely=surely)
