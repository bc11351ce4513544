"""LedgerLoop's sources, running: files in a folder and a Stripe server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledgerlake.demo.customer_master.deliveries import deliver
from ledgerlake.demo.customer_master.world import World
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, StripeServer
from ledgerlake.ports.secrets import ReferencedSecrets


@dataclass
class Sources:
    """The running sources of one world."""

    world: World
    files: Path
    stripe: StripeServer

    @property
    def secrets(self) -> ReferencedSecrets:
        """Return the references of ``conf/environments/local.yml``, resolved to these servers."""
        return ReferencedSecrets({"STRIPE_API_KEY": DEMO_KEY, "STRIPE_BASE_URL": self.stripe.url})

    def apply(self, number: int) -> int:
        """Let delivery ``number`` happen at every source; return how many changes it holds."""
        self.stripe.apply_day(number)
        deliver(self.world, number, self.files)
        return self.world.deliveries[number].changes


@contextmanager
def running_sources(world: World, files: Path) -> Iterator[Sources]:
    """Run the sources of a world; objects are delivered below ``files``."""
    server = StripeServer([d.stripe for d in world.deliveries])
    with server.running():
        yield Sources(world, files, server)
