"""Publishes to Snowflake: staged, verified, then given to readers in one transaction."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ledgerlake.errors import LeaseLost, LedgerlakeError, TransientError
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.snowflake import Connect
from ledgerlake.publish import catalog, ledger, owners, staging
from ledgerlake.publish.checks import check
from ledgerlake.publish.model import LedgerRow, Publication, PublishOutcome, Target
from ledgerlake.publish.session import Session, end_all, session
from ledgerlake.publish.swap import swap

ATTEMPTS = 3
BACKOFF_S = 2.0  # doubled after each attempt


class SnowflakePublisher:
    """Gives readers of one Snowflake target all of a publication, once, or none of it.

    ``connect`` opens a new session. ``sleep`` (seconds) waits between attempts after transient
    errors; ``timer`` (seconds) measures the steps.
    """

    def __init__(
        self,
        connect: Connect,
        target: Target,
        clock: Clock,
        *,
        sleep: Callable[[float], None] = time.sleep,
        timer: Callable[[], float] = time.perf_counter,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._connect, self._target, self._clock = connect, target, clock
        self._sleep, self._timer, self._attempts = sleep, timer, attempts
        self._orphans: list[Session] = []  # out of reach; ended before the next session is used

    def publish(self, publication: Publication, may_commit: Callable[[], None] = lambda: None) -> PublishOutcome:
        """Publish all slices, or find that they are published already; safe to call again.

        ``may_commit`` is asked inside the transaction, right before it is committed, and raises
        where this run must not publish any more.

        Raises :class:`PublishError` where staging or a table does not hold what was sent
        (readers keep the last publication), :class:`TransientError` where Snowflake stayed
        out of reach: the publication is then either whole or absent, and a repeat finds out.
        """
        check(publication)
        try:
            for attempt in range(1, self._attempts):
                try:
                    return self._attempt(publication, may_commit)
                except LeaseLost:
                    raise  # no attempt gives back a turn that another run has taken
                except TransientError:
                    self._sleep(BACKOFF_S * 2 ** (attempt - 1))
            return self._attempt(publication, may_commit)
        finally:
            end_all(self._orphans)

    def newest(self, pipeline: str) -> LedgerRow | None:
        """Return what the pipeline's readers are given now; raises as :meth:`publish` does."""
        with session(self._connect) as opened:
            return ledger.newest(opened, self._target, pipeline)

    def published(self, pipeline: str) -> list[LedgerRow]:
        """Return the pipeline's publications from the ledger, newest first."""
        with session(self._connect) as opened:
            return ledger.published(opened, self._target, pipeline)

    def _attempt(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        seconds: dict[str, float] = {}
        with session(self._connect, self._orphans) as opened:
            with self._timed(seconds, "lookup"):
                if ledger.holds(opened, self._target, publication.publication_id):
                    return PublishOutcome("already_published")
            with self._timed(seconds, "prepare"):
                self._prepare(opened, publication)
            try:
                self._stage(opened, publication, seconds)
                with self._timed(seconds, "commit"):
                    self._commit(opened, publication, may_commit)
            except TransientError:
                raise  # the session may be gone; the next attempt replaces the staging tables
            except BaseException:
                opened.roll_back()
                self._drop(opened, publication)
                raise
            with self._timed(seconds, "drop"):
                self._drop(opened, publication)
        rows = {part.table: part.expected_rows for part in publication.slices}
        return PublishOutcome("published", rows, seconds)

    def _prepare(self, opened: Session, publication: Publication) -> None:
        catalog.create_schemas(opened, self._target)
        ledger.create(opened, self._target, publication.pipeline)
        owners.claim(opened, self._target, publication)
        catalog.prepare(opened, self._target, publication.slices)

    def _stage(self, opened: Session, publication: Publication, seconds: dict[str, float]) -> None:
        names = [(part, staging.staging_name(publication, part)) for part in publication.slices]
        folder = secrets.token_hex(4)
        with self._timed(seconds, "stage"):
            for part, name in names:
                staging.load(opened, self._target, part, name, folder)
        with self._timed(seconds, "verify"):
            for part, name in names:
                staging.verify(opened, self._target, part, name)

    def _commit(self, opened: Session, publication: Publication, may_commit: Callable[[], None]) -> None:
        opened.begin()
        swap(opened, self._target, publication, self._clock.now())
        may_commit()
        try:
            opened.commit()
        except TransientError as error:
            self._settle(opened, publication, error)

    def _settle(self, lost: Session, publication: Publication, error: TransientError) -> None:
        """Find out whether a commit whose answer is lost took place; raise unless it did.

        The lost session is ended first: what it had not committed by then never will be.
        """
        with session(self._connect) as fresh:
            lost.end()
            if ledger.holds(fresh, self._target, publication.publication_id):
                return
        raise TransientError(
            f"the commit of {publication.publication_id} got no answer; the ledger lacks it",
            then="run the same command again",
        ) from error

    def _drop(self, opened: Session, publication: Publication) -> None:
        # best effort: a leftover is replaced by the next attempt and never read
        with suppress(LedgerlakeError):
            for part in publication.slices:
                staging.drop(opened, self._target, staging.staging_name(publication, part))

    @contextmanager
    def _timed(self, seconds: dict[str, float], step: str) -> Iterator[None]:
        started = self._timer()
        yield
        seconds[step] = self._timer() - started
