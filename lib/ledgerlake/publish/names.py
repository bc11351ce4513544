"""Names and types in Snowflake SQL: validated once, quoted always, so that no text is injected.

Names are upper-cased before quoting: ``"AMOUNT"`` is the same object as a bare ``amount``, and
a column called ``order`` needs no special care.
"""

from __future__ import annotations

import re

from ledgerlake.core.types import SIMPLE, column_type, decimal_parts, is_type
from ledgerlake.errors import PublishError

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_OWN = "PUBLICATION_"
LOCKS, OWNERS, STAGING_PREFIX = f"{_OWN}LOCKS", f"{_OWN}TABLES", f"{_OWN}STAGE_"


def is_reserved(name: str) -> bool:
    """Say whether a table may not be called so, because it is, or may become, one of our own beside it."""
    return name.upper().startswith(_OWN)


def bare(name: str) -> str:
    """Return ``name`` upper-cased; raise :class:`PublishError` unless it is a plain identifier."""
    if not IDENTIFIER.fullmatch(name):
        raise PublishError(
            f"{name!r} is not a name Snowflake objects may have here",
            then="use letters, digits and _ only, not starting with a digit",
        )
    return name.upper()


def quoted(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return f'"{bare(name)}"'


def qualified(*names: str) -> str:
    """Return the parts (database, schema, object) as one dotted, quoted name."""
    return ".".join(quoted(name) for name in names)


def literal(text: str) -> str:
    """Return ``text`` as a Snowflake string literal; for statements that take no binds."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def decimal_digits(type_name: str) -> tuple[int, int] | None:
    """Return (precision, scale) of a decimal type, None for any other."""
    digits = decimal_parts(type_name.strip().lower())
    if digits and not is_type(type_name.strip().lower()):
        raise PublishError(f"{type_name} is not a decimal Snowflake holds", then="declare decimal(1..38, 0..p)")
    return digits


def snowflake_type(type_name: str) -> str:
    """Return the column type for a ledgerlake type; raise :class:`PublishError` if unknown."""
    name = type_name.strip().lower()
    if decimal_digits(name) is None and not is_type(name):
        raise PublishError(
            f"no Snowflake type for {type_name!r}",
            then=f"declare one of {', '.join(SIMPLE)}, decimal(p,s)",
        )
    return column_type(name).snowflake
