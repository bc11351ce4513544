"""What a Debezium source and its tables declare, and which declarations do not fit together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledgerlake.config.models import Table
from ledgerlake.core.types import decimal_parts
from ledgerlake.feeds.base import FileOptions, Options

ORDER_FIELDS = {"postgresql": ("source.sequence", "source.lsn"), "mysql": ("source.file", "source.pos", "source.row")}
"""Where an envelope tells its order, by database."""


class DebeziumSource(FileOptions):
    """How the connector and its converter write; verified for each object and each line.

    ``decimal_mode`` and ``time_precision`` are the connector's ``decimal.handling.mode`` and
    ``time.precision.mode``; with ``schemas`` each line's own schema tells instead.
    """

    database: Literal["postgresql", "mysql"]
    message: Literal["value", "key_value"] = "value"
    schemas: bool = False
    form: Literal["envelope", "flattened"] = "envelope"
    order_fields: tuple[str, ...] = ()
    binlog: str | None = None
    server_id: int | None = None
    decimal_mode: Literal["precise", "string", "double"] = "precise"
    time_precision: Literal["adaptive", "adaptive_time_microseconds", "connect", "isostring"] = "adaptive"
    unavailable_placeholder: str = Field("__debezium_unavailable_value", min_length=1)


class DebeziumTable(Options):
    """Per table: ``table`` as messages name it, ``schema.table`` (MySQL: ``database.table``), where the topic's name does not say it.

    Where it is declared, the topic may hold messages of others too: they are left out. ``timestamps`` and
    ``scales``, only where messages carry no schema, are units of times and scales of decimals.
    """

    table: str | None = Field(default=None, pattern=r"^[^.]+\.[^.]+$")

    timestamps: dict[str, Literal["millis", "micros", "nanos"]] = Field(default_factory=dict)
    scales: dict[str, int] = Field(default_factory=dict)


def check_options(source: DebeziumSource, table: Table) -> None:
    """Raise ``ValueError`` where options contradict each other or name unknown columns."""
    if source.decimal_mode == "double":
        raise ValueError("doubles lose cents: set decimal.handling.mode to precise or string, and declare that")
    _check_order(source)
    own = DebeziumTable(**table.feed)
    if source.schemas and (own.timestamps or own.scales):
        raise ValueError("with `schemas: true` each message tells its types: remove `timestamps` and `scales`")
    kinds = {c.name: c.type for c in table.columns}
    for name in own.timestamps:
        if kinds.get(name) != "timestamp":
            raise ValueError(f"`timestamps` names {name!r}, which is not a timestamp column")
    for name in own.scales:
        if not decimal_parts(kinds.get(name, "")):
            raise ValueError(f"`scales` names {name!r}, which is not a decimal column")


def _check_order(source: DebeziumSource) -> None:
    wanted = len(ORDER_FIELDS[source.database])
    if source.form == "envelope" and source.order_fields:
        raise ValueError("`order_fields` belong to `form: flattened`; an envelope has them in `source`")
    if source.form == "flattened" and len(source.order_fields) != wanted:
        names = ", ".join(f.replace("source.", "") for f in ORDER_FIELDS[source.database])
        raise ValueError(f"flattened messages need `order_fields`: the {wanted} fields that hold {names}")
    if source.database == "mysql" and not source.binlog:
        raise ValueError("MySQL needs `binlog:`, the name of the binary logs before their number (binlog, mysql-bin)")
    if source.database == "postgresql" and (source.binlog or source.server_id is not None):
        raise ValueError("`binlog` and `server_id` belong to `database: mysql`")
