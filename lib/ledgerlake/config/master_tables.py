"""The silver tables of a master, as the contract that marts and checks read them by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ledgerlake.config.mastering import Master, MasterField
from ledgerlake.config.models import Column, Table

Pii = Literal["none", "personal", "sensitive"]
PROVENANCE = {"source": "string", "record": "string", "time": "timestamp", "rule": "string"}
"""What follows every field: ``<field>_source``, ``_record``, ``_time`` and ``_rule``."""


def versions_table(master: Master) -> Table:
    """Return ``<master>_versions``: every golden version, one row per customer and ``valid_from``."""
    own = [
        Column(name=id_column(master), type="string", nullable=False),
        Column(name="valid_from", type="timestamp", nullable=False),
        Column(name="valid_to", type="timestamp"),
        Column(name="is_current", type="boolean", nullable=False),
        Column(name="records", type="integer", nullable=False),
        Column(name="conflicts", type="integer", nullable=False),
        Column(name="losers", type="string", pii=_most({f.pii for f in master.fields})),
    ]
    fields = [column for f in master.fields for column in _with_provenance(f)]
    return _table(master, "versions", (own[0].name, "valid_from"), [*own, *fields])


def links_table(master: Master) -> Table:
    """Return ``<master>_links``: which customer each record belonged to, and since when."""
    id_ = id_column(master)
    texts = {"source": False, "record": False, f"own_{id_}": False, id_: False}
    columns = [Column(name=n, type="string", nullable=nullable) for n, nullable in texts.items()]
    columns += [
        Column(name="valid_from", type="timestamp", nullable=False),
        Column(name="valid_to", type="timestamp"),
        Column(name="is_current", type="boolean", nullable=False),
        Column(name="event", type="string", nullable=False),
        Column(name=f"previous_{id_}", type="string"),
        Column(name="record_ended", type="boolean", nullable=False),
    ]
    return _table(master, "links", ("source", "record", "valid_from"), columns)


def id_column(master: Master) -> str:
    """Return the column with a master's stable id."""
    return f"{master.master}_id"


def master_tables(masters: Iterable[Master]) -> dict[str, Table]:
    """Return what marts may read of masters, by name."""
    return {t.table: t for m in masters for t in (versions_table(m), links_table(m))}


def _with_provenance(field: MasterField) -> list[Column]:
    value = Column(name=field.name, type=field.type, pii=field.pii)
    return [value, *(Column(name=f"{field.name}_{n}", type=kind) for n, kind in PROVENANCE.items())]


def _most(levels: set[Pii]) -> Pii:
    return "sensitive" if "sensitive" in levels else "personal" if "personal" in levels else "none"


def _table(master: Master, part: str, key: tuple[str, ...], columns: list[Column]) -> Table:
    return Table(
        table=f"{master.master}_{part}", description=master.description, source=master.master, resource="",
        key=key, columns=tuple(columns),
    )  # fmt: skip
