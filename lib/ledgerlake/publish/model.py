"""What is published: slices of tables, the publication that binds them, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True)
class PublishedColumn:
    """A column as readers see it; ``type`` is a ledgerlake type such as ``decimal(18,2)``."""

    name: str
    type: str


@dataclass(frozen=True)
class TableSlice:
    """What replaces what: the rows of ``files`` take the place of the named partitions.

    ``partition_column`` None replaces the whole table. ``partitions`` are ISO texts of the
    changed values; one without rows in ``files`` ends up empty. ``files`` are local Parquet
    files that hold every column, or ``s3://`` addresses below the target's external stage.
    The last three figures are what the lake counted; staging must agree with each exactly.
    """

    table: str
    columns: tuple[PublishedColumn, ...]
    key: tuple[str, ...]
    partition_column: str | None
    partitions: tuple[str, ...]
    files: tuple[Path | str, ...]
    expected_rows: int
    control_totals: Mapping[str, Decimal]
    key_hash: str

    def type_of(self, column: str) -> str:
        """Return the ledgerlake type of ``column``; KeyError where the slice has none such."""
        return {c.name: c.type for c in self.columns}[column]


@dataclass(frozen=True)
class Publication:
    """A set of table slices that passed their gates together, and the run behind them.

    ``follows`` is the publication that the warehouse serves before it (empty: none), and ``number``
    its place in the pipeline's order of publications.
    """

    publication_id: str
    follows: str
    number: int
    pipeline: str
    run_id: str
    logical_date: date
    code_version: str
    config_fingerprint: str
    delta_versions: Mapping[str, int]
    suite_results_json: str
    slices: tuple[TableSlice, ...]


@dataclass(frozen=True)
class Target:
    """Where publications go: tables in ``schema``, secure views for readers in ``bi_schema``.

    ``external_stage`` (a qualified stage name) with ``external_stage_url`` makes COPY read the
    files where they are on S3; without it they are PUT to the staging table's own stage.
    """

    database: str
    schema: str
    bi_schema: str
    ledger_table: str = "PUBLICATION_LEDGER"
    external_stage: str | None = None
    external_stage_url: str = ""


@dataclass(frozen=True)
class PublishOutcome:
    """What one call did: rows per table, and seconds per step (empty where nothing was done)."""

    status: Literal["published", "already_published"]
    rows_by_table: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LedgerRow:
    """One publication as Snowflake remembers it; the JSON columns stay text."""

    publication_id: str
    follows: str
    number: int
    pipeline: str
    run_id: str
    logical_date: date
    published_at: datetime
    code_version: str
    config_fingerprint: str
    delta_versions: str
    suite_results: str
    tables: str


class Publishing(Protocol):
    """The warehouse as a run sees it."""

    def newest(self, pipeline: str, run_id: str) -> LedgerRow | None:
        """Return what the pipeline's readers are given now, as the warehouse's ledger has it."""
        ...

    def publish(self, publication: Publication, may_commit: Callable[[], None]) -> PublishOutcome:
        """Give readers a publication; ``may_commit`` is asked right before, and raises where it must not be."""
        ...
