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

from collections.abc import Sequence

Order = Sequence[str | None]
"""The texts of the fields that :data:`~ledgerlake.feeds.debezium.options.ORDER_FIELDS` names."""

_NONE = "0" * 20
_LSN_DIGITS, _FILE_DIGITS, _POS_DIGITS, _ROW_DIGITS = 20, 12, 20, 10
_LONG = (1 << 63) - 1


def postgresql_position(order: Order, op: str | None) -> str | None:
    """Return a change's position from its sequence and LSN; None where they cannot be read."""
    sequence, lsn = order
    parts = sequence.split('"') if sequence else ()  # ["commit","own"] or [null,"own"]
    if len(parts) < 3 or parts[-1] != "]":
        return None
    own = _number(parts[-2] if lsn is None else lsn, _LSN_DIGITS)
    if own is None:
        return None
    if parts[0] == "[":
        commit = _number(parts[1], _LSN_DIGITS)
        if commit is None:
            return None
        return f"1|{commit}|{_NONE}|{own}" if op == "r" else f"1|{commit}|{own}|{_NONE}"
    if parts[0].startswith("[null,"):
        return f"0|{_NONE}|{_NONE}|{own}" if op == "r" else f"1|{own}|{own}|{_NONE}"
    return None


def mysql_position(order: Order, op: str | None) -> str | None:
    """Return a change's position from its binary log, the position there and the row; None where they cannot be read."""
    file, pos, row = order
    number = _number(file.rpartition(".")[2] if file else None, _FILE_DIGITS)
    at, place = _number(pos, _POS_DIGITS), _number(row, _ROW_DIGITS)
    if number is None or at is None or place is None:
        return None
    return f"{number}|{at}|{'0' if op == 'r' else '1'}|{place}"


def other_log(order: Order, binlog: str) -> bool:
    """Say whether a MySQL change is of another binary log than the declared one."""
    return bool(order[0]) and order[0].rpartition(".")[0] != binlog  # type: ignore[union-attr]


def _number(text: str | None, digits: int) -> str | None:
    """Return a whole number of at most 64 bits, padded to so many digits; None for all else."""
    if text is None or len(text) > digits or not (text.isdecimal() and text.isascii()):
        return None
    return text.zfill(digits) if len(text) < 19 or int(text) <= _LONG else None
