"""The frozen shapes of configuration; unknown keys are errors."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ledgerlake.config.alerting import Alerts
from ledgerlake.config.base import ColumnType
from ledgerlake.config.base import Model as Model
from ledgerlake.config.base import Name as Name
from ledgerlake.config.mastering import Master
from ledgerlake.core.identity import fingerprint
from ledgerlake.core.retention import REPLAY_DAYS
from ledgerlake.core.types import ColumnType as ColumnKind
from ledgerlake.core.types import Refusal, column_type


class Reference(Model):
    """A parent row that must exist: rows that miss it are held until it arrives."""

    table: Name
    column: Name


class Column(Model):
    """One column of a table's contract.

    ``source`` is the field's name or dotted path in the feed (default: the column's name).
    ``currency`` names the column with the ISO code of an amount; with ``unit: minor`` the feed
    gives integer minor units, which are scaled by the currency's exponent (``stripe``: by
    Stripe's documented exponents). ``format`` tells how numbers stand for times, ``zone`` whose local
    time a text without an offset is, ``finer`` what becomes of parts of a microsecond.
    """

    name: Name
    type: ColumnType
    source: str | None = None
    nullable: bool = True
    min: str | None = None
    max: str | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    references: Reference | None = None
    currency: Name | None = None
    unit: Literal["major", "minor", "stripe"] = "major"
    format: Literal["auto", "epoch_seconds", "epoch_millis", "epoch_micros"] = "auto"
    zone: str | None = None
    finer: Literal["refuse", "round"] = "refuse"
    pii: Literal["none", "personal", "sensitive"] = "none"

    @property
    def source_name(self) -> str:
        """Return the field's name or path in the feed."""
        return self.source or self.name

    @cached_property
    def kind(self) -> ColumnKind[Any]:
        """Return the type as its grammar, with the column's options."""
        bounded = (self.min is not None, self.max is not None)
        return column_type(self.type, format=self.format, zone=self.zone, finer=self.finer, bounded=bounded)

    def constant(self, text: str) -> str | Refusal:
        """Return the canonical text of a bound or an allowed value, or why it is no value of the column's type."""
        kind = column_type(self.type, zone=self.zone)
        value = kind.parse(text)
        return value if isinstance(value, Refusal) else kind.canonical(value)

    @property
    def as_written(self) -> bool:
        """Say whether typed values read again as if delivered are the same values."""
        return self.unit == "major" and self.format == "auto" and self.zone is None


class Snapshot(Model):
    """Each delivered object group is the whole table (``complete``), or a part of it that says nothing of the rest.

    A key that a complete snapshot lacks was deleted; but only where every row of the snapshot
    was accepted, it has at least ``rows_min`` rows, and not less than ``1 - shrink_max`` of the
    rows that silver shows. Otherwise its rows count and its absences do not.
    """

    complete: bool
    rows_min: int = Field(default=1, ge=1)
    shrink_max: float = Field(default=0.5, ge=0, le=1)


class History(Model):
    """Keep every version of each row in ``<table>_history``.

    Versions follow each other by the feed's position, or by the ``effective`` column: since when
    a row holds at the source, so that a correction of the past is inserted where it belongs.
    """

    effective: Name | None = None


class Table(Model):
    """One silver table: where it comes from, its key, its contract.

    ``snapshot`` says that deliveries are snapshots, whatever the feed. ``append_only``: a key is
    written once and never changes (see ``core.append_only``). ``currencies`` are the project's own, code →
    decimals, of ``conf/currencies.yml``. Nothing is deleted from bronze;
    ``retention_days`` is how long its Delta log is kept, which replays as of a moment need; where
    it is declared, ``ledgerlake retention`` removes landed objects after it (see ``ops.retention``).
    """

    table: Name
    description: str = ""
    source: Name
    resource: str
    key: tuple[Name, ...] = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=1)
    changes: Literal["whole", "partial"] = "whole"
    keys_can_change: bool = False
    append_only: bool = False
    on_new_column: Literal["add", "ignore", "refuse"] = "add"
    snapshot: Snapshot | None = None
    history: History | None = None
    retention_days: int = Field(default=REPLAY_DAYS, ge=REPLAY_DAYS)
    currencies: dict[str, int] = Field(default_factory=dict)
    suite: str | None = None
    feed: dict[str, Any] = Field(default_factory=dict)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Return the contract's column names in order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """Return the column called ``name``; KeyError where there is none."""
        return next(c for c in self.columns if c.name == name)

    def with_columns(self, added: tuple[Column, ...]) -> Table:
        """Return the table with columns that arrived later by additive schema changes."""
        new = tuple(c for c in added if c.name not in self.column_names)
        return self.model_copy(update={"columns": self.columns + new})

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of what the declaration means: layout and description may change freely."""
        known = set() if any(c.currency for c in self.columns) else {"currencies"}
        return fingerprint(self.model_dump(mode="json", exclude={"description", "retention_days", *known}))


class Source(Model):
    """One source system and the feed it speaks; ``options`` belong to the feed."""

    feed: str
    location: str | None = None
    connection: Name | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Input(Model):
    """What a mart is built from, and which of its partitions a changed row touches.

    ``partition`` is a SQL expression over the input's columns that gives the mart's partition
    value; without it any change rebuilds the whole mart. ``known`` and ``effective`` name the
    columns of a table that say since when a row is known, and since when it holds: questions as
    of a moment read only rows up to it (see ``ops.as_of``).
    """

    table: Name | None = None
    mart: Name | None = None
    partition: str | None = None
    known: str | None = None
    effective: Name | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Input:
        if (self.table is None) == (self.mart is None):
            raise ValueError("give either `table` or `mart`")
        if self.mart and (self.known or self.effective):
            raise ValueError("`known` and `effective` belong to tables: a mart follows its own inputs")
        return self

    @property
    def name(self) -> str:
        """Return the input's name in the SQL."""
        return self.table or self.mart or ""


class Mart(Model):
    """One gold table made by SQL; ``pii`` names personal columns that no input has under that name."""

    mart: Name
    description: str = ""
    sql: str
    key: tuple[Name, ...] = Field(min_length=1)
    partition_by: Name | None = None
    inputs: tuple[Input, ...] = Field(min_length=1)
    suite: str | None = None
    publish: bool = True
    pii: tuple[Name, ...] = ()


class Chart(Model):
    """A picture of a published mart in the run report: ``y`` over ``x``, coloured ``by`` a column of few values."""

    mart: Name
    title: str
    x: Name
    y: Name
    by: Name | None = None


class ExternalStage(Model):
    """A stage of Snowflake's through which it reads exported files where they are, below ``url`` (``s3://…``)."""

    name: str
    url: str = Field(pattern=r"^s3://[^/]+")


class Target(Model):
    """Where the marts are served in Snowflake."""

    database: str
    schema_name: str = Field(alias="schema")
    bi_schema: str
    external_stage: ExternalStage | None = None
    bi_role: str | None = None
    cleared_role: str | None = None


class PipelineFile(Model):
    """The contents of ``conf/pipelines/<name>/pipeline.yml``.

    ``gate`` is what the decision over all suites is called in messages. ``on_refusal`` says for
    what a run ends with an exit code of its own as long as it is open: refused objects and
    quarantined ``deliveries``, quarantined ``rows`` too, or nothing (``report``).
    """

    pipeline: Name
    description: str = ""
    sources: dict[Name, Source]
    masters: tuple[Master, ...] = ()
    marts: tuple[Mart, ...] = ()
    gate: Name | None = None
    on_refusal: Literal["deliveries", "rows", "report"] = "deliveries"
    charts: tuple[Chart, ...] = ()
    publication: Target
    alerts: Alerts = Alerts()


class Pipeline(Model):
    """A whole pipeline: its file, its tables and where both were read from."""

    folder: Path
    spec: PipelineFile
    tables: dict[str, Table]
    sql: dict[str, str]
    suites: dict[str, Any]
    alert_sql: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the pipeline's name."""
        return self.spec.pipeline

    @cached_property
    def readable(self) -> dict[str, Table]:
        """Return what marts may read of silver: each table, the histories under ``<table>_history``, and masters."""
        from ledgerlake.config.master_tables import master_tables

        histories = {f"{t.table}_history": t for t in self.tables.values() if t.history}
        return self.tables | histories | master_tables(self.spec.masters)

    def mart(self, name: str) -> Mart:
        """Return the mart called ``name``; KeyError where there is none."""
        return {m.mart: m for m in self.spec.marts}[name]

    def suite_of(self, owner: Table | Mart) -> Any | None:
        """Return the loaded suite of a table or mart, if it declares one."""
        return self.suites[owner.suite] if owner.suite else None

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of everything declared: tables, marts, alert rules, SQL text and suites."""
        tables = {name: t.fingerprint for name, t in self.tables.items()}
        suites = {name: s.fingerprint for name, s in self.suites.items()}
        sql = self.sql | {f"alert {name}": text for name, text in self.alert_sql.items()}
        return fingerprint([self.spec.model_dump(mode="json", exclude={"on_refusal"}), tables, sql, suites])
