"""Names and types in Snowflake SQL: validated once, quoted always, so that no text is injected.

Names are upper-cased before quoting: ``"AMOUNT"`` is the same object as a bare ``amount``, and
a column called ``order`` needs no special care.
"""

from __future__ import annotations

import re

from ledgerlake.errors import PublishError

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
TYPES = {
    "string": "VARCHAR",
    "integer": "NUMBER(10,0)",
    "bigint": "NUMBER(19,0)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP_NTZ(6)",  # always UTC: sessions run with TIMEZONE = UTC
}
DIGITS_MAX = 38
LOCKS, OWNERS = "PUBLICATION_LOCKS", "PUBLICATION_TABLES"
STAGING_PREFIX = "STG_"


def is_reserved(name: str) -> bool:
    """Say whether a table may not be called so, because it is, or may become, one of our own beside it."""
    return name.upper().startswith(("PUBLICATION_", STAGING_PREFIX))


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
    found = DECIMAL.fullmatch(type_name.strip().lower())
    if found is None:
        return None
    precision, scale = int(found[1]), int(found[2])
    if not 1 <= precision <= DIGITS_MAX or scale > precision:
        raise PublishError(f"{type_name} is not a decimal Snowflake holds", then="declare decimal(1..38, 0..p)")
    return precision, scale


def snowflake_type(type_name: str) -> str:
    """Return the column type for a ledgerlake type; raise :class:`PublishError` if unknown."""
    digits = decimal_digits(type_name)
    if digits:
        return f"NUMBER({digits[0]},{digits[1]})"
    known = TYPES.get(type_name.strip().lower())
    if known is None:
        raise PublishError(
            f"no Snowflake type for {type_name!r}",
            then=f"declare one of {', '.join(TYPES)}, decimal(p,s)",
        )
    return known
