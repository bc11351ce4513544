"""The interface every feed fills, and the shape of the raw changes it gives.

Raw changes are a relation with these columns, then one column per contract column under
its contract name, as the format gives it (strings for text formats):

=============  ==========  =====================================================
``_object``    string      landed object, relative to the lake
``_ordinal``   bigint      place of the record in its object, from 0
``_op``        string      upsert, patch, delete or truncate (see ``core.change.Op``)
``_position``  string      order within the table; plain string comparison
``_problem``   string      why the record cannot be read, else null
``_raw``       string      the record as delivered, only where ``_problem`` is set
``_carried``   array       columns that a patch carries, else null
=============  ==========  =====================================================

Positions must be finer than the changes of one key: two different changes of a key at one
position are refused by the lake. A ``truncate`` carries no key and withdraws every row of the
table that is older than it. Records that are no changes (markers, heartbeats) are left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Source, Table
from ledgerlake.feeds.decoding.bodies import Limits
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.http import Http
from ledgerlake.ports.objects import ObjectStore
from ledgerlake.ports.secrets import Secrets

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from ledgerlake.engines.door import Engines
    from ledgerlake.sql.relation import Relation


class Options(BaseModel):
    """Base of a feed's own options: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Later:
    """Objects that are there and dated after the day that is extracted: how many, and the first of their days."""

    objects: int
    first: date


@dataclass(frozen=True)
class Extraction:
    """What an extraction may use: the world is passed in, nothing is looked up.

    ``logical_date`` is the day to bring the source up to; ``first_day`` lies before it where a
    backfill brings several days with one run. ``known_keys`` gives the keys of a table's visible rows, None before its first load: for
    feeds that find deletes by comparison. ``retried`` and ``dismissed`` are the (name, content hash)
    of refused objects that somebody asked to take after all, or never. ``later`` is filled by the
    feed: what it found per table that waits for a later day.
    """

    pipeline: str
    source_name: str
    source: Source
    tables: tuple[Table, ...]
    environment: Environment
    lake: ObjectStore
    secrets: Secrets
    clock: Clock
    run_id: str
    logical_date: date
    first_day: date
    window_end: datetime
    logs: Mapping[str, ManifestLog]
    open_source: Callable[[str], ObjectStore]
    spark: Callable[[], SparkSession]
    http: Http
    known_keys: Callable[[str], DataFrame | None]
    retried: frozenset[tuple[str, str]] = frozenset()
    dismissed: frozenset[tuple[str, str]] = frozenset()
    later: dict[str, Later] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """One batch to read: its table with effective columns, its objects, and the lake that holds them."""

    table: Table
    objects: tuple[LandedObject, ...]
    lake: ObjectStore
    source_options: Mapping[str, Any]

    @property
    def lake_uri(self) -> str:
        """Return the lake's root."""
        return self.lake.uri


class FileOptions(Options):
    """What every source of delivered files may declare.

    ``replaced``: what it means that a name comes back with other content: the object is refused,
    or it is a newer delivery whose rows outrank the older ones.
    """

    replaced: Literal["refuse", "newer"] = "refuse"
    limits: Limits = Limits()


class Feed(ABC):
    """One way a source delivers changes; see the page of each in ``docs/feeds``.

    ``kind`` is the name by which sources declare it, ``source_options`` and ``table_options``
    are the models of a source's ``options`` and a table's ``feed``. With ``tables_together``
    the tables of a source share one cursor and are extracted in one call. ``tells_partial`` says
    that its changes may carry some columns only, ``tells_key_changes`` that it can name the old
    key of an update: tables may declare ``changes: partial`` and ``keys_can_change`` there alone.
    """

    kind: ClassVar[str]
    source_options: ClassVar[type[Options]] = Options
    table_options: ClassVar[type[Options]] = Options
    tables_together: ClassVar[bool] = False
    tells_partial: ClassVar[bool] = False
    tells_key_changes: ClassVar[bool] = False

    def check(self, source: Source, table: Table) -> None:  # noqa: B027 (most feeds have nothing to add)
        """Raise ``ValueError`` where options, valid each by itself, do not fit together."""

    @abstractmethod
    def extract(self, request: Extraction) -> list[Manifest]:
        """Land what is new and return its manifests, one per table that got something."""

    @abstractmethod
    def pending(self, request: Extraction) -> dict[str, int]:
        """Return table → number of objects that an extraction would land; reads no data."""

    def dates(self, source: Source) -> Callable[[str], date | None]:
        """Return how a source object's name tells its logical date: None where it tells none."""
        return lambda _: None

    def own_columns(self, source: Source) -> frozenset[str]:
        """Return the delivered columns that are the format's own, and never a table's."""
        return frozenset()

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return payload column → Spark type of one object, None where the format has no header."""
        return None

    def reread(self, log: ManifestLog) -> set[str]:
        """Return the landed objects that a later extraction may open again: retention keeps them."""
        return set()

    @abstractmethod
    def read(self, engines: Engines, reading: Reading) -> Relation:
        """Return the raw changes of a batch (columns: see the module)."""

    def confirm(self, request: Extraction, loaded: Callable[[Manifest], bool]) -> None:  # noqa: B027
        """Tell the source what is safely in bronze, so that it may forget it; most need no word.

        Called after loading, and before the next extraction for what a killed run left undone.
        """
