"""The canonical change, and the columns that carry its meaning through the lake.

A *position* is one string that orders all changes of one table: feeds build it from
fixed-width parts so that plain string comparison is the source's order, in Python, in Spark
and in Delta's file statistics alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Op(StrEnum):
    """What a change does to its key."""

    UPSERT = "upsert"  # carries every column: replaces the row
    PATCH = "patch"  # carries some columns: sets those, keeps the others
    DELETE = "delete"  # removes the row; its position is remembered
    TRUNCATE = "truncate"  # carries no key: removes every row of the table that is older


@dataclass(frozen=True)
class Change:
    """One canonical change: ``values`` holds exactly the columns that it carries, ``key`` is empty for a truncate."""

    key: tuple[str, ...]
    op: Op
    position: str
    values: Mapping[str, object]


CONTRADICTION = "contradicts what is declared"
"""Stands in the reason of a value that shows that its whole object is not written as declared."""

# Origin and order: carried by every row of bronze and silver.
BATCH_ID = "_batch_id"
POSITION = "_position"
OP = "_op"
OBJECT = "_object"
ORDINAL = "_ordinal"
EXTRACTED_AT = "_extracted_at"
CHANGE_ID = "_change_id"
# Bronze only: whether the change won its batch's fold; which columns a patch carries.
WINNER = "_winner"
CARRIED = "_carried"
# Silver only: tombstone mark, and for tables of partial changes the state that makes
# their fold commutative (position of the last whole row, last delete, and each column).
DELETED = "_deleted"
BASE_POSITION = "_base_position"
DELETE_POSITION = "_delete_position"
COLUMN_POSITIONS = "_column_positions"
# History only: from which position (or effective time) to which a version holds, and whether it is the current one.
VALID_FROM = "_valid_from"
VALID_TO = "_valid_to"
CURRENT = "_current"
# The same bounds as moments that marts can use.
VALID_FROM_AT = "_valid_from_at"
VALID_TO_AT = "_valid_to_at"
# Masters only: the hash of a row, by which a row that says something else is recognised.
CONTENT = "_content"

ORIGIN = (BATCH_ID, POSITION, OBJECT, ORDINAL, EXTRACTED_AT, CHANGE_ID)
"""The columns that lead a silver row back to its source (promise: traceable)."""
