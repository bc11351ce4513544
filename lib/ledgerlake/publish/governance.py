"""Grants and masking policies as SQL for a Snowflake administrator to review and run.

The publisher's role owns tables and views but not the account's security, so this is written
out rather than executed: readers see the secure views only, and columns tagged as PII through
a masking policy per type. Policies sit on the tables, so that every view inherits them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledgerlake.publish.model import Target
from ledgerlake.publish.names import bare, literal, qualified, quoted, snowflake_type

MASK = "***"


@dataclass(frozen=True)
class PiiColumn:
    """A column tagged as personal data; ``type`` is its ledgerlake type."""

    table: str
    column: str
    type: str


def governance_sql(
    target: Target,
    tables: Sequence[str],
    pii: Iterable[PiiColumn],
    *,
    bi_role: str,
    cleared_role: str,
) -> list[str]:
    """Return all statements, in the order they must be run; each may be run again.

    ``bi_role`` reads the views, ``cleared_role`` alone sees personal data unmasked.
    """
    return grants(target, tables, bi_role) + masking(target, sorted(pii, key=repr), cleared_role)


def grants(target: Target, tables: Sequence[str], bi_role: str) -> list[str]:
    """Return grants that let ``bi_role`` read the published views and nothing behind them."""
    role = quoted(bi_role)
    views = (qualified(target.database, target.bi_schema, table) for table in tables)
    return [
        f"GRANT USAGE ON DATABASE {quoted(target.database)} TO ROLE {role}",
        f"GRANT USAGE ON SCHEMA {qualified(target.database, target.bi_schema)} TO ROLE {role}",
        *(f"GRANT SELECT ON VIEW {view} TO ROLE {role}" for view in views),
    ]


def masking(target: Target, pii: Sequence[PiiColumn], cleared_role: str) -> list[str]:
    """Return one masking policy per Snowflake type among ``pii``, then its use on each column."""
    types = dict.fromkeys(snowflake_type(column.type) for column in pii)
    policies = [
        f"CREATE MASKING POLICY IF NOT EXISTS {_policy(target, kind)} "
        f"AS (val {kind}) RETURNS {kind} -> {mask_expression(kind, cleared_role)}"
        for kind in types
    ]
    return policies + [
        f"ALTER TABLE {qualified(target.database, target.schema, column.table)} "
        f"MODIFY COLUMN {quoted(column.column)} "
        f"SET MASKING POLICY {_policy(target, snowflake_type(column.type))} FORCE"
        for column in pii
    ]


def mask_expression(kind: str, cleared_role: str) -> str:
    """Return the policy's body: text is starred, anything else becomes NULL."""
    hidden = literal(MASK) if kind == "VARCHAR" else "NULL"
    return f"CASE WHEN IS_ROLE_IN_SESSION({literal(bare(cleared_role))}) THEN val ELSE {hidden} END"


def _policy(target: Target, kind: str) -> str:
    suffix = kind.translate(str.maketrans("(,", "__", ")"))
    return qualified(target.database, target.schema, f"MASK_PII_{suffix}")
