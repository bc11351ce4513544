"""What a job cost, from what the service says it billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Utilization:
    """Billed resources of a job run, in hours of vCPUs and of gigabytes."""

    vcpu_hours: Decimal = Decimal(0)
    memory_gb_hours: Decimal = Decimal(0)
    storage_gb_hours: Decimal = Decimal(0)

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> Utilization:
        """Read the service's ``billedResourceUtilization``."""
        hours = (Decimal(str(answer.get(name, 0))) for name in ("vCPUHour", "memoryGBHour", "storageGBHour"))
        return cls(*hours)


@dataclass(frozen=True)
class Prices:
    """US dollars per hour; the defaults are list prices (us-east-1, x86), yours may differ."""

    vcpu_usd: Decimal = Decimal("0.052624")
    memory_gb_usd: Decimal = Decimal("0.0057785")
    storage_gb_usd: Decimal = Decimal("0.000111")


LIST_PRICES = Prices()


def cost_usd(used: Utilization, prices: Prices = LIST_PRICES) -> Decimal:
    """Return the price of ``used`` in US dollars, to a hundredth of a cent."""
    total = (
        used.vcpu_hours * prices.vcpu_usd
        + used.memory_gb_hours * prices.memory_gb_usd
        + used.storage_gb_hours * prices.storage_gb_usd
    )
    return total.quantize(Decimal("0.0001"))
