"""The one door to engines: a relation goes in, rows come out, and what ran it is known.

The choice follows the rows. What was read into this process (few rows; see ``lake.reading`` and
``feeds.decoding.frame`` for the limits) is queried here, by DuckDB; a relation with an input that
Spark holds is Spark's. Two things send a relation of held rows to Spark all the same: a construct
whose meaning here is not proven, and rows over which the engines may differ. Both are told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ledgerlake import arrow
from ledgerlake.config.environment import Environment
from ledgerlake.engines.base import NotHere, Unsupported
from ledgerlake.errors import ConfigError
from ledgerlake.sql.relation import Relation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TASK_ROWS = 5_000
_SETTINGS = {"spark.sql.inMemoryColumnarStorage.compressed": "false"}  # what is held is held for seconds; it may spill
_SMALL_TEXT_BYTES = 16 << 20  # about what takes as long as a worker's start and the crossing to it
_ROW_BYTES = 200  # of text, about


@dataclass
class Engines:
    """Runs relations for one workspace; ``start_spark`` is asked when Spark is needed, and not before."""

    environment: Environment
    start_spark: Callable[[], SparkSession]
    _own: threading.local = field(default_factory=threading.local)

    @property
    def rows_max(self) -> int:
        """Return how many rows are brought into this process at most; none where Spark does everything."""
        return 0 if self.environment.engine == "spark" else self.environment.embedded_rows_max

    @property
    def text_bytes_max(self) -> int:
        """Return how much text is decoded in this process at most; small texts are, whatever runs the SQL."""
        return _SMALL_TEXT_BYTES if self.rows_max == 0 else max(_SMALL_TEXT_BYTES, self.rows_max * _ROW_BYTES)

    def session(self) -> SparkSession:
        """Return this thread's Spark session: names of views and settings of commits are its own."""
        spark = self.start_spark()
        if getattr(self._own, "of", None) is not spark:
            self._own.of, self._own.session = spark, spark.newSession()
            for key, value in _SETTINGS.items():
                self._own.session.conf.set(key, value)
        found: SparkSession = self._own.session
        return found

    def adopted(self, frame: DataFrame) -> DataFrame:
        """Return a frame of another session in this thread's; its files are read as that session says."""
        from pyspark.sql import DataFrame

        session = self.session()
        if frame.sparkSession._jsparkSession.equals(session._jsparkSession):
            return frame
        of_rows = session._jvm.org.apache.spark.sql.Dataset.ofRows  # type: ignore[union-attr]
        return DataFrame(of_rows(session._jsparkSession, frame._jdf.queryExecution().analyzed()), session)

    @property
    def told(self) -> list[str]:
        """Return why relations of this thread went to Spark although their rows were here."""
        if not hasattr(self._own, "told"):
            self._own.told = []
        reasons: list[str] = self._own.told
        return reasons

    def holds(self, relation: Relation) -> bool:
        """Say whether all that a relation is made of is in this process."""
        return self.rows_max > 0 and all(isinstance(rows, pa.Table) for rows in relation.inputs.values())

    def ran(self, relation: Relation) -> dict[str, str]:
        """Return the engine that made held rows and, where it was Spark, why: as ``engine`` and ``engine_because``."""
        if self.holds(relation):
            return {"engine": "embedded", "engine_because": ""}
        if self.rows_max == 0:
            because = "the environment says so"
        else:
            because = "; ".join(dict.fromkeys(self.told)) or "more than the embedded engine takes"
        return {"engine": "spark", "engine_because": because}

    def types(self, relation: Relation) -> dict[str, str]:
        """Return the columns with Spark's types."""
        if self.holds(relation):
            try:
                return dict(self._embedded().plan(relation, _known(relation)).columns)
            except Unsupported as problem:
                self._tell(problem)
        return dict(self.frame(relation).dtypes)

    def declared(self, text: str, inputs: list[Relation]) -> Relation:
        """Return a declared SELECT over inputs, each under the name by which it reads them."""
        # In parentheses, for it may have a WITH of its own; on one line with them, so that lines keep their numbers.
        made = Relation.query(f"SELECT * FROM ({text.strip().rstrip(';')}\n)", (), inputs)
        return replace(made, columns=tuple(self.types(made)))

    def table(self, relation: Relation) -> pa.Table:
        """Return all rows."""
        held = self._run_here(relation)
        return arrow.out_of_spark(self.frame(relation)) if held is None else held

    def table_if_few(self, relation: Relation) -> pa.Table | None:
        """Return all rows, None where Spark holds them and they are many."""
        held = self._run_here(relation)
        return arrow.out_of_spark_if_few(self.frame(relation)) if held is None else held

    def rows(self, relation: Relation) -> list[dict[str, Any]]:
        """Return all rows as dictionaries; for few."""
        found: list[dict[str, Any]] = self.table(relation).to_pylist()
        return found

    def row(self, relation: Relation) -> dict[str, Any]:
        """Return the first row; empty where there is none."""
        return next(iter(self.rows(relation)), {})

    def frame(self, relation: Relation) -> DataFrame:
        """Return the relation as a frame of Spark's, whatever holds its inputs."""
        if self.environment.engine == "embedded":
            raise ConfigError(
                "this needs Spark, and the environment says `engine: embedded`"
                + (f" ({self.told[-1]})" if self.told else ""),
                then="declare `engine: auto`, or say it in SQL that the embedded engine knows (docs/engines.md)",
            )
        session = self.session()
        for name, rows in relation.inputs.items():
            frame = self._crossed(session, rows) if isinstance(rows, pa.Table) else self.adopted(rows)
            frame.createOrReplaceTempView(name)
        return session.sql(relation.text)

    @contextmanager
    def held(self, relation: Relation, name: str) -> Iterator[Relation]:
        """Return the relation's rows computed once, as an input called ``name``."""
        rows = self._run_here(relation)
        if rows is not None:
            yield Relation.of(name, rows, relation.columns)
            return
        frame = self.frame(relation).persist()
        try:
            yield Relation.of(name, frame, relation.columns)
        finally:
            frame.unpersist()

    def _crossed(self, session: SparkSession, rows: pa.Table) -> DataFrame:
        from pyspark.sql.types import StructField, StructType
        from pyspark.sql.types import _parse_datatype_string as spark_type_of

        from ledgerlake.engines.embedded.arrow_kinds import columns_of

        told = StructType([StructField(n, spark_type_of(kind)) for n, kind in columns_of(rows.schema).items()])
        parts = min(session.sparkContext.defaultParallelism, 1 + rows.num_rows // _TASK_ROWS)
        return arrow.into_spark(session, rows, told, parts=parts if parts > 1 else None)

    def _run_here(self, relation: Relation) -> pa.Table | None:
        """Return all rows where the relation is held here and its query is for here; else None, and why is told."""
        if self.holds(relation):
            try:
                return self._embedded().run(relation)
            except (Unsupported, NotHere) as problem:
                self._tell(problem)
        return None

    def _embedded(self) -> Any:
        from ledgerlake.engines.embedded import engine

        return engine

    def _tell(self, problem: Exception) -> None:
        self.told.append(str(problem))


def _known(relation: Relation) -> dict[str, dict[str, str]]:
    from ledgerlake.engines.embedded.arrow_kinds import columns_of

    return {name: columns_of(rows.schema) for name, rows in relation.inputs.items()}
