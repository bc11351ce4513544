"""No warehouse at all: publications are accepted, remembered, and sent nowhere.

For runs whose results are read back from the lake (notebooks on local files), measurements and tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from ledgerlake.publish.model import LedgerRow, Publication, PublishOutcome


class Nowhere:
    """A warehouse without a warehouse; what it was given is its ``publications``."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []

    def newest(self, pipeline: str, run_id: str) -> LedgerRow | None:
        """Return the last publication of the pipeline as a ledger would have it."""
        return next((ledger_row(p) for p in reversed(self.publications) if p.pipeline == pipeline), None)

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        """Remember the publication."""
        may_commit()
        self.publications.append(publication)
        return PublishOutcome("published", {part.table: part.expected_rows for part in publication.slices})


def ledger_row(publication: Publication) -> LedgerRow:
    """Return a publication as a ledger would have it, but for the moment, which nobody keeps."""
    return LedgerRow(
        publication.publication_id, publication.follows, publication.number, publication.pipeline, publication.run_id,
        publication.logical_date, datetime.min.replace(tzinfo=UTC), publication.code_version,
        publication.config_fingerprint, json.dumps(dict(publication.delta_versions)), publication.suite_results_json,
        json.dumps([part.table for part in publication.slices]),
    )  # fmt: skip
