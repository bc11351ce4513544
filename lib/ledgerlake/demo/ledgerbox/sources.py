"""LedgerBox's sources, running: files in a folder, a PostgreSQL server, a Stripe server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledgerlake.demo.ledgerbox.deliveries import DeliverySummary, deliver
from ledgerlake.demo.ledgerbox.settlements_db import SettlementsDb
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, StripeServer
from ledgerlake.demo.ledgerbox.world import World
from ledgerlake.ports.secrets import ReferencedSecrets


@dataclass
class Sources:
    """The running sources of one world; ``secrets`` resolve what the local environment refers to."""

    world: World
    files: Path
    stripe: StripeServer
    database: SettlementsDb

    @property
    def secrets(self) -> ReferencedSecrets:
        """Return the references of ``conf/environments/local.yml``, resolved to these servers."""
        endpoint = self.database.endpoint
        return ReferencedSecrets(
            {
                "STRIPE_API_KEY": DEMO_KEY,
                "STRIPE_BASE_URL": self.stripe.url,
                "LEDGERBOX_SETTLEMENTS_JDBC_URL": endpoint.jdbc_url,
                "LEDGERBOX_SETTLEMENTS_USER": endpoint.user,
                "LEDGERBOX_SETTLEMENTS_PASSWORD": "",
            }
        )

    def apply_day(self, day: int, *, corrected: bool = False) -> DeliverySummary:
        """Let one day (index from 0) happen at every source."""
        self.stripe.apply_day(day)
        self.database.apply_day(self.world, day)
        return deliver(self.world, day, self.files, corrected=corrected)


@contextmanager
def running_sources(world: World, files: Path, database: Path) -> Iterator[Sources]:
    """Run the sources of a world: delivered files below ``files``, PostgreSQL's data in ``database``."""
    stripe, settlements = StripeServer(world.stripe_days), SettlementsDb(database)
    with stripe.running(), settlements.running():
        yield Sources(world, files, stripe, settlements)
