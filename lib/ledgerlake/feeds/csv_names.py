"""The columns of delivered files: matched exactly, and never by a guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledgerlake.errors import SourceError, Where
from ledgerlake.feeds.decoding.bodies import Limits
from ledgerlake.feeds.decoding.csv_columns import first_row
from ledgerlake.feeds.decoding.csv_grammar import CsvOptions


def header_columns(
    name: str, body: bytes, options: CsvOptions, limits: Limits, declared: Sequence[str] | None, wanted: Iterable[str]
) -> tuple[str, ...]:
    """Check a CSV file's frame and return its columns: its header's, or those ``declared`` for files without one.

    ``wanted`` are the contract's names in the file. Raises :class:`SourceError` for a file that is
    empty or not as declared, and for a header that has a wanted name in another spelling only.
    """
    first = first_row(name, body, options, limits)
    columns = first if declared is None else list(declared)
    if declared is not None:
        _check_first_row(name, first, columns)
    doubled = sorted({n for n in columns if columns.count(n) > 1})
    if doubled:
        raise SourceError(f"the columns {doubled} stand twice", where=Where(file=name))
    check_spelling(name, columns, wanted)
    return tuple(columns)


def check_spelling(name: str, columns: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise :class:`SourceError` where a wanted column is there in another case or with blanks around it only, and where none is."""
    found, named = list(columns), list(wanted)
    refuse_other_spelling(name, found, named)
    if named and not set(named) & set(found):
        raise SourceError(
            f"none of the declared columns is among its {len(found)}", where=Where(file=name),
            then="is it another table's file, without a header, or of another `delimiter`?",
        )  # fmt: skip


def refuse_other_spelling(name: str, found: Iterable[str], named: Sequence[str]) -> None:
    """Raise :class:`SourceError` where one of the names that are wanted is found in another spelling only."""
    found = list(found)
    alike = {folded(n): n for n in found if n not in named}
    for column in named:
        if column not in found and (other := alike.get(folded(column))) is not None:
            raise SourceError(
                f"there is no column {column!r}; did you mean {other!r}?", where=Where(file=name, column=column),
                then=f"declare `source: {other!r}`, or have the column named as declared",
            )  # fmt: skip


def folded(name: str) -> str:
    """Return what names have in common that differ in case or in surrounding blanks alone."""
    return name.strip(" \t\r\n\u00a0\ufeff").casefold()


def _check_first_row(name: str, first: list[str], columns: list[str]) -> None:
    if first[: len(columns)] == columns:
        raise SourceError("the file has a header where none is declared", where=Where(file=name))
    if len(first) != len(columns):
        raise SourceError(f"{len(first)} columns where {len(columns)} are declared", where=Where(file=name))
