"""Positions of Debezium messages, from the record alone: a redelivery has the same position.

PostgreSQL: ``era|last commit LSN|LSN|…``. ``source.sequence`` holds the commit that the
connector had streamed last and the change's own LSN. Transactions are streamed in commit order
and the LSN rises within each, so the pair is the order of the stream, although interleaved
transactions bring lower LSNs later. A snapshot row carries what was true just after the last
streamed commit, so it stands below every change that follows that commit: those the snapshot
saw are streamed again, those it did not see are newer. With no commit yet (the first snapshot)
it stands in era 0, below every streamed change: such a change may have a lower LSN than the
snapshot, where its transaction was open meanwhile. A streamed change with no commit before it
takes its own LSN in that place: its transaction's commit, which the next one names, is higher.

MySQL: ``file number|pos|kind|row``. A snapshot notes the binary log's position under a lock, so
its rows stand at that position, just below the event that starts there. Never by time stamps.
"""

from __future__ import annotations

from ledgerlake.feeds.debezium.options import DebeziumSource
from ledgerlake.feeds.frames import literal

_NONE = "'" + "0" * 20 + "'"


def position_sql(source: DebeziumSource, order: list[str], op: str) -> str:
    """Return the position; null where the order is missing. ``order`` are the SQL of the order fields."""
    return _postgresql(order, op) if source.database == "postgresql" else _mysql(order, op)


def order_problems(source: DebeziumSource, position: str, order: list[str], op: str, server: str | None) -> list[str]:
    """Return the ``WHEN … THEN …`` that say why a position cannot be trusted."""
    found = []
    if source.database == "mysql":
        base = f"substring_index({order[0]}, '.', size(split({order[0]}, '[.]')) - 1)"
        other = literal(f"the binary log is not {source.binlog}: after a change of server the order is unknown")
        found.append(f"WHEN {order[0]} <> '' AND {base} <> {literal(source.binlog or '')} THEN {other}")
    if server:
        found.append(
            f"WHEN {op} <> 'r' AND NOT ({server} <=> '{source.server_id}')"
            " THEN 'another server_id: after a change of server the order is unknown'"
        )
    names = "sequence and lsn" if source.database == "postgresql" else "file, pos and row"
    return [*found, f"WHEN {position} IS NULL THEN {literal(f'no order: {names} are missing or unreadable')}"]


def _digits(text: str, width: int) -> str:
    number = f"try_cast({text} AS BIGINT)"
    return (
        f"CASE WHEN {number} >= 0 AND length({text}) <= {width} THEN lpad(CAST({number} AS STRING), {width}, '0') END"
    )


def _postgresql(order: list[str], op: str) -> str:
    sequence, lsn = order
    own = _digits(f"coalesce({lsn}, substring_index(trim(TRAILING '\"]' FROM {sequence}), '\"', -1))", 20)
    commit = _digits(f"substring_index(substr({sequence}, 3), '\"', 1)", 20)
    return (
        f"CASE WHEN {sequence} LIKE '[\"%\"]' THEN"
        f" IF({op} = 'r', concat('1|', {commit}, '|', {_NONE}, '|', {own}), concat('1|', {commit}, '|', {own}, '|', {_NONE}))"
        f" WHEN {sequence} LIKE '[null,%\"]' THEN"
        f" IF({op} = 'r', concat('0|', {_NONE}, '|', {_NONE}, '|', {own}), concat('1|', {own}, '|', {own}, '|', {_NONE})) END"
    )


def _mysql(order: list[str], op: str) -> str:
    file, pos, row = order
    number = _digits(f"substring_index({file}, '.', -1)", 12)
    kind = f"CASE WHEN {op} = 'r' THEN '0' ELSE '1' END"
    return f"concat({number}, '|', {_digits(pos, 20)}, '|', {kind}, '|', {_digits(row, 10)})"
