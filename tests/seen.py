"""What a test sees of a table: rows read without Spark, asked in Spark's SQL and in its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from ledgerlake.engines.door import Engines
from ledgerlake.sql.relation import Relation, alias_of
from pyspark.sql import Row


def _named(item: str, number: int) -> str:
    try:
        alias_of(item)
    except ValueError:
        return item if item == "*" else f"{item} AS _c{number}"
    return item


def _plain(value: Any) -> Any:
    """Return moments as Spark hands them over: in UTC, without saying so."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


@dataclass(frozen=True)
class Seen:
    """Rows of a table; answers as a frame of Spark's does."""

    engines: Engines
    rows: Relation

    @classmethod
    def of(cls, engines: Engines, rows: pa.Table) -> Seen:
        return cls(engines, Relation.of("seen", rows, rows.column_names))

    def _with(self, make: Callable[[Relation], Relation]) -> Seen:
        return Seen(self.engines, make(self.rows))

    def select(self, *columns: str) -> Seen:
        return self._with(lambda rows: rows.select(*(_named(item, n) for n, item in enumerate(columns))))

    selectExpr = select  # noqa: N815 (the word of Spark's frames)

    def where(self, condition: str) -> Seen:
        return self._with(lambda rows: rows.where(condition))

    def drop(self, *columns: str) -> Seen:
        return self._with(lambda rows: rows.without(*columns))

    def distinct(self) -> Seen:
        return self._with(lambda rows: rows.distinct())

    def orderBy(self, *columns: str) -> Seen:  # noqa: N802 (the word of Spark's frames)
        return self._with(lambda rows: rows.first(1_000_000, *columns))

    @property
    def frame(self) -> Any:
        """Return the same rows as a frame of Spark's."""
        return self.engines.frame(self.rows)

    @property
    def columns(self) -> list[str]:
        return list(self.rows.columns)

    @property
    def dtypes(self) -> list[tuple[str, str]]:
        return list(self.engines.types(self.rows).items())

    def collect(self) -> list[Row]:
        return [Row(**{n: _plain(v) for n, v in row.items()}) for row in self.engines.rows(self.rows)]

    def first(self) -> Any:
        return next(iter(self.collect()), None)

    def count(self) -> int:
        return int(self.engines.row(self.rows.grouped((), "count(1) AS n"))["n"])

    def isEmpty(self) -> bool:  # noqa: N802 (the word of Spark's frames)
        return self.count() == 0
