"""Fields of records are matched exactly: one that stands there in another spelling only is not taken for absent."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.csv_names import folded
from ledgerlake.feeds.decoding.records import Path, Record, Records, at


def check_fields(name: str, records: Records, paths: Sequence[Path], values: Sequence[pa.Array | None]) -> None:
    """Raise :class:`SourceError` where no record has a field, and one has it in another case or with blanks around it.

    Only columns without any value are looked at, so whole records cost nothing.
    """
    for path, column in zip(paths, values, strict=True):
        if column is not None and 0 < len(column) == column.null_count and not any(records.present(path)):
            other = _other_spelling(records.all, path, {p for p in paths if p != path})
            if other is not None:
                raise SourceError(
                    f"no record has {path[-1]!r}; did you mean {other!r}?", where=Where(file=name, column=".".join(path)),
                    then=f"declare `source:` with {other!r}, or have the field named as declared",
                )  # fmt: skip


def _other_spelling(records: Sequence[Record], path: Path, others: set[Path]) -> str | None:
    """Return a name that the records have where the path's last one should be, and that no other column takes."""
    wanted = folded(path[-1])
    for record in records:
        parent = at(record, path[:-1])
        for name in parent if type(parent) is dict else ():
            if folded(name) == wanted and (*path[:-1], name) not in others:
                return str(name)
    return None
