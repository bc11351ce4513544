"""What a source and a table of event exports may declare."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledgerlake.feeds.base import FileOptions, Options


class EventSource(FileOptions):
    """How events are written; ``any``: each object's first bytes tell, for services that write one table together."""

    format: Literal["json", "avro", "any"] = "json"


class EventTable(Options):
    """Per table: the field that names the operation, and what its values mean; the field that names the table, and its values.

    The key null of ``ops`` says what an event means whose field is null or absent. Where ``table_field`` is declared, a topic may hold several tables' events: those of others are left out.
    """

    op_field: str | None = None
    table_field: str | None = None
    table_names: tuple[str, ...] = ()
    ops: dict[str | None, Literal["upsert", "patch", "delete", "truncate"]] = Field(default_factory=dict)
