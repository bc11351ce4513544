"""Every demo by its pipeline's name, in the order in which ``ledgerlake demo all`` plays them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ledgerlake.demo.stage import Demo
from ledgerlake.errors import ConfigError

NAMES = ("ledgerbox", "customer_master", "tax_ledger", "bnpl", "org_balances")


def demos_of(name: str) -> list[Demo[Any]]:
    """Return the demo called ``name``, or every demo for ``all``; ConfigError where there is none."""
    if name != "all" and name not in NAMES:
        raise ConfigError(f"there is no demo called {name!r}", then=f"choose one of {', '.join(NAMES)}, or all")
    chosen = NAMES if name == "all" else (name,)
    return [import_module(f"ledgerlake.demo.{n}.story").DEMO for n in chosen]
