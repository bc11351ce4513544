"""Loads a slice into its run-scoped staging table and proves that all of it arrived.

Files travel through the staging table's own stage (``@%table``), which is dropped with it.
Each attempt uses a new folder of that stage, so that nothing left by a killed one is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from ledgerlake.errors import PublishError, Where
from ledgerlake.publish.catalog import column_list
from ledgerlake.publish.keyhash import snowflake_key_hash
from ledgerlake.publish.model import Publication, TableSlice, Target
from ledgerlake.publish.names import STAGING_PREFIX, bare, decimal_digits, literal, qualified, quoted
from ledgerlake.publish.partitions import typed_value
from ledgerlake.publish.session import Session

COPY_FILES_MAX = 1000  # Snowflake's limit for FILES = (...)
# FORCE: load history would skip a file silently; staging is new, so nothing doubles
COPY_OPTIONS = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
    "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
)
RESEND = "publish again; if it repeats, rebuild the slice from its Delta version and compare"


def staging_name(publication: Publication, part: TableSlice) -> str:
    """Return the staging table's name: one per publication and table."""
    return bare(f"{STAGING_PREFIX}{part.table}_{re.sub(r'[^A-Za-z0-9]', '_', publication.publication_id[:12])}")


def load(session: Session, target: Target, part: TableSlice, staging: str, attempt: str) -> None:
    """Create the staging table anew and COPY the slice's files into it by column name."""
    where = Where(table=part.table)
    table = qualified(target.database, target.schema, staging)
    sql = f"CREATE OR REPLACE TRANSIENT TABLE {table} ({column_list(part.columns)})"
    session.rows("create the staging table", sql, where=where)
    if not part.files:
        return
    if target.external_stage:
        stage = _stage(target.external_stage)
        for names in _external_files(target, part.files):
            sql = f"COPY INTO {table} FROM @{stage} FILES = ({names}) {COPY_OPTIONS}"
            session.rows("copy from the external stage", sql, where=where)
        return
    folder = f"@{bare(target.database)}.{bare(target.schema)}.%{staging}/{attempt}"
    for ordinal, file in enumerate(part.files):
        # a folder per file: Spark gives files of different partitions the same name
        source = literal(f"file://{Path(file).absolute()}")  # PUT decodes no %20
        sql = f"PUT {source} {folder}/{ordinal} AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
        session.rows("upload a file", sql, where=where)
    session.rows("copy from the stage", f"COPY INTO {table} FROM {folder}/ {COPY_OPTIONS}", where=where)


def verify(session: Session, target: Target, part: TableSlice, staging: str) -> None:
    """Compare staging with what the lake counted: rows, control totals, key hash, partitions.

    Raises :class:`PublishError` that names the table and both figures; sums of money are
    compared as exact decimals. No value of a row is ever in the message.
    """
    table = qualified(target.database, target.schema, staging)
    names = sorted(part.control_totals)
    types = {c.name: c.type for c in part.columns}
    fields = [
        "COUNT(*)",
        snowflake_key_hash(part.key, types),
        *(_total(n, types[n]) for n in names),
    ]
    sql = f"SELECT {', '.join(fields)} FROM {table}"
    (figures,) = session.rows("verify the staging table", sql, where=Where(table=part.table))
    _require(part, "rows", part.expected_rows, int(figures[0]))
    for name, held in zip(names, figures[2:], strict=True):
        _require(part, "control total", part.control_totals[name], Decimal(held), column=name)
    _require(part, "key hash", part.key_hash, figures[1])
    _require(part, "rows outside the named partitions", 0, _outside(session, part, table))


def drop(session: Session, target: Target, staging: str) -> None:
    """Drop the staging table, and its stage and files with it."""
    table = qualified(target.database, target.schema, staging)
    session.rows("drop the staging table", f"DROP TABLE IF EXISTS {table}")


def _total(column: str, type_name: str) -> str:
    digits = decimal_digits(type_name)
    if digits is None:
        raise PublishError(f"a control total needs a decimal column, not {type_name}", where=Where(column=column))
    # as text: a driver may hand an aggregate of decimals over as a float
    return f"TO_VARCHAR(COALESCE(SUM(CAST({quoted(column)} AS NUMBER(38,{digits[1]}))), 0))"


def _require(part: TableSlice, what: str, sent: object, held: object, column: str | None = None) -> None:
    if sent != held:
        where = Where(table=part.table, column=column)
        raise PublishError(f"{what} differ: the lake has {sent}, staging holds {held}", where=where, then=RESEND)


def _outside(session: Session, part: TableSlice, table: str) -> int:
    """Count staged rows whose partition is not replaced: inserting them would double them."""
    if part.partition_column is None:
        return 0
    kind = part.type_of(part.partition_column)
    values = [typed_value(value, kind) for value in part.partitions]
    sql = f"SELECT DISTINCT {quoted(part.partition_column)} FROM {table}"
    held = {row[0] for row in session.rows("list the staged partitions", sql, where=Where(table=part.table))}
    return len(held - set(values))


def _external_files(target: Target, files: Sequence[Path | str]) -> list[str]:
    """Return FILES lists of paths relative to the external stage, each within Snowflake's limit."""
    prefix = target.external_stage_url.rstrip("/") + "/"
    relative = [literal(str(file).removeprefix(prefix)) for file in files]
    starts = range(0, len(relative), COPY_FILES_MAX)
    return [", ".join(relative[start : start + COPY_FILES_MAX]) for start in starts]


def _stage(name: str) -> str:
    return ".".join(bare(part) for part in name.split("."))
