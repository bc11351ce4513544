"""The interface every feed fills, and the shape of the raw changes it gives.

Raw changes are a Spark frame with these columns, then one column per contract column under
its contract name, as the format gives it (strings for text formats):

=============  ==========  =====================================================
``_object``    string      landed object, relative to the lake
``_ordinal``   bigint      place of the record in its object, from 0
``_op``        string      upsert, patch or delete (see ``core.change.Op``)
``_position``  string      order within the table; plain string comparison
``_problem``   string      why the record cannot be read, else null
``_raw``       string      the record as delivered, only where ``_problem`` is set
``_carried``   array       columns that a patch carries, else null
=============  ==========  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from ledgerlake.config.models import Environment, Source, Table
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.objects import ObjectStore
from ledgerlake.ports.secrets import Secrets

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Options(BaseModel):
    """Base of a feed's own options: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Extraction:
    """What an extraction may use: the world is passed in, nothing is looked up."""

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
    window_end: datetime
    logs: Mapping[str, ManifestLog]
    open_source: Callable[[str], ObjectStore]
    spark: Callable[[], SparkSession]


@dataclass(frozen=True)
class Reading:
    """One batch to read: its table with effective columns, its objects, and the lake's root."""

    table: Table
    objects: tuple[LandedObject, ...]
    lake_uri: str
    source_options: Mapping[str, Any]


class Feed(Protocol):
    """One way a source delivers changes."""

    @property
    def kind(self) -> str:
        """Return the name by which sources declare the feed."""
        ...

    @property
    def source_options(self) -> type[Options]:
        """Return the model of a source's ``options``."""
        ...

    @property
    def table_options(self) -> type[Options]:
        """Return the model of a table's ``feed`` section."""
        ...

    def check(self, source: Source, table: Table) -> None:
        """Raise ``ValueError`` where options, valid each by itself, do not fit together."""
        ...

    def extract(self, request: Extraction) -> list[Manifest]:
        """Land what is new and return its manifests, one per table that got something."""
        ...

    def pending(self, request: Extraction) -> dict[str, int]:
        """Return table → number of objects that an extraction would land; reads no data."""
        ...

    def columns_of(self, table: Table, item: LandedObject) -> dict[str, str] | None:
        """Return payload column → Spark type of one object, None where the format has no header."""
        ...

    def read(self, spark: SparkSession, reading: Reading) -> DataFrame:
        """Return the raw changes of a batch (columns: see the module)."""
        ...
