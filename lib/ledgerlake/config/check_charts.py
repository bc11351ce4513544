"""Proves that charts show what is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledgerlake.config.models import Pipeline
from ledgerlake.config.source_map import Document
from ledgerlake.errors import ConfigError


def check_charts(
    pipeline: Pipeline, schema: Mapping[str, Mapping[str, str]], document: Document
) -> Iterator[ConfigError]:
    """Yield charts of marts that are not published, and of columns that a mart (name → columns) does not have."""
    published = {m.mart for m in pipeline.spec.marts if m.publish}
    for index, chart in enumerate(pipeline.spec.charts):
        where = document.where("charts", index)
        if chart.mart not in published:
            yield ConfigError(
                f"the chart shows {chart.mart!r}, which is no published mart", where=where,
                then=f"choose one of {sorted(published)}",
            )  # fmt: skip
            continue
        missing = {chart.x, chart.y, chart.by or chart.x} - set(schema[chart.mart])
        if missing:
            yield ConfigError(
                f"{chart.mart} has no column {sorted(missing)}",
                where=where,
                then=f"it has {sorted(schema[chart.mart])}",
            )
