"""What a publication must be before Snowflake is spoken to: refused whole, early and by name."""

from __future__ import annotations

from ledgerlake.errors import PublishError, Where
from ledgerlake.publish.keyhash import EMPTY
from ledgerlake.publish.model import Publication, TableSlice
from ledgerlake.publish.names import bare, is_reserved, snowflake_type


def check(publication: Publication) -> None:
    """Raise :class:`PublishError` for a publication that contradicts itself."""
    if not publication.publication_id:
        raise PublishError("a publication needs an id", then="derive it from its Delta versions")
    tables = [bare(part.table) for part in publication.slices]
    if len(set(tables)) != len(tables):
        raise PublishError("a table stands twice in one publication", then="give each table one slice")
    for part in publication.slices:
        _check_slice(part)


def _check_slice(part: TableSlice) -> None:
    if is_reserved(part.table):
        _refuse(part, "names that begin with PUBLICATION_ belong to ledgerlake's own tables")
    columns = [bare(c.name) for c in part.columns]
    for column in part.columns:
        snowflake_type(column.type)
    if len(set(columns)) != len(columns):
        _refuse(part, "two columns differ in case only")
    known = {c.name for c in part.columns}
    named = {*part.key, *part.control_totals, *filter(None, [part.partition_column])}
    if not part.key or not named <= known:
        _refuse(part, "the key, a control total or the partition column is not among the columns")
    if not part.files and (part.expected_rows, part.key_hash) != (0, EMPTY):
        _refuse(part, f"{part.expected_rows} rows are announced but no file is given")


def _refuse(part: TableSlice, what: str) -> None:
    raise PublishError(what, where=Where(table=part.table), then="correct the table's declaration or its slice")
