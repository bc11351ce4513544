"""Which columns of a mart are personal data: those called like a personal column of an input, and those declared.

A mart that gives such a column another name says so in its ``pii:``; names are the rule because
they can be checked by reading.
"""

from __future__ import annotations

from ledgerlake.config.mart_sql import mart_columns
from ledgerlake.config.models import Mart, Pipeline

MASK = "•••"
"""What is shown in place of a personal value."""


def personal_columns(pipeline: Pipeline, mart: Mart) -> dict[str, str]:
    """Return column → contract type of the personal columns that a mart gives; declared ones are text."""
    given = mart_columns(pipeline)[mart.mart]
    return {n: t for n, t in _inherited(pipeline, mart).items() if n in given}


def _inherited(pipeline: Pipeline, mart: Mart) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in mart.inputs:
        if item.mart:
            found |= _inherited(pipeline, pipeline.mart(item.mart))
        else:
            table = pipeline.readable[item.name]
            found |= {k.name: k.type for k in table.columns if k.pii != "none"}
    return found | dict.fromkeys(mart.pii, "string")
