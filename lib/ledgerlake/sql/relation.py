"""Rows described by SQL: a query that is built step by step, can be read and tested, and is run by an engine.

A relation is text in Spark's dialect over named inputs. It imports no engine: what an input is (rows
held in this process, or a frame of Spark's) is the engine's business.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ALIAS = re.compile(r"\sAS\s+(?:`((?:[^`]|``)+)`|(\w+))\s*$", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(r"\s*(?:\w+\.)?(?:`((?:[^`]|``)+)`|(\w+))\s*$")


def literal(text: str) -> str:
    """Return ``text`` as a Spark SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted(name: str) -> str:
    """Return a column's name as Spark SQL names it, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class Relation:
    """Columns, the steps that make them (name and SELECT, each over earlier ones), and the inputs by name."""

    columns: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    inputs: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, rows: Any, columns: Iterable[str]) -> Relation:
        """Return an input as a relation; inputs that come together need different names."""
        name = re.sub(r"\W", "_", name)
        return cls(tuple(columns), ((name, ""),), {name: rows})

    @classmethod
    def query(cls, text: str, columns: Iterable[str], inputs: Iterable[Relation] = ()) -> Relation:
        """Return a SELECT over relations that were named (see :meth:`named`)."""
        return _joined(tuple(columns), text, list(inputs))

    @property
    def name(self) -> str:
        """Return the name of the last step, by which a further one reads it."""
        return self.steps[-1][0]

    @property
    def text(self) -> str:
        """Return the whole query."""
        made = [(n, t) for n, t in self.steps if t]
        if not made:
            return f"SELECT * FROM {quoted(self.name)}"
        heads = ", ".join(f"{quoted(n)} AS ({t})" for n, t in made[:-1])
        return f"WITH {heads} {made[-1][1]}" if heads else made[-1][1]

    def named(self, name: str) -> Relation:
        """Return the same rows under a name of one's own."""
        text = f"SELECT * FROM {quoted(self.name)}"
        return Relation(self.columns, (*self.steps, (name, text)), self.inputs)

    def select(self, *items: str) -> Relation:
        """Return columns or expressions (``… AS name``) of each row; ``*`` is all columns."""
        return self._step(self._named_by(items), f"SELECT {', '.join(items)} FROM {quoted(self.name)}")

    def where(self, condition: str) -> Relation:
        """Return the rows for which a condition holds."""
        return self._step(self.columns, f"SELECT * FROM {quoted(self.name)} WHERE {condition}")

    def replaced(self, column: str, expression: str) -> Relation:
        """Return the rows with another value in one column, which comes last."""
        return self.select(*(quoted(n) for n in self.columns if n != column), f"{expression} AS {quoted(column)}")

    def without(self, *columns: str) -> Relation:
        """Return the rows without some columns."""
        return self.select(*(quoted(n) for n in self.columns if n not in columns))

    def distinct(self) -> Relation:
        """Return each row once."""
        return self._step(self.columns, f"SELECT DISTINCT * FROM {quoted(self.name)}")

    def limited(self, rows: int) -> Relation:
        """Return any so many rows."""
        return self._step(self.columns, f"SELECT * FROM {quoted(self.name)} LIMIT {rows}")

    def first(self, rows: int, *order: str) -> Relation:
        """Return so many rows, the first by some columns, in that order."""
        keys = ", ".join(map(quoted, order))
        return self._step(self.columns, f"SELECT * FROM {quoted(self.name)} ORDER BY {keys} LIMIT {rows}")

    def grouped(self, by: Sequence[str], *items: str) -> Relation:
        """Return a row per value of the columns ``by``, with aggregates."""
        keys = [quoted(n) for n in by]
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        columns = self._named_by([*keys, *items])
        return self._step(columns, f"SELECT {', '.join([*keys, *items])} FROM {quoted(self.name)}{group}")

    def left_join(self, other: Relation, on: str) -> Relation:
        """Return each row with the columns of its partners, which have other names; in ``on`` they are ``l`` and ``r``."""
        text = f"SELECT l.*, r.* FROM {quoted(self.name)} l LEFT JOIN {quoted(other.name)} r ON {on}"
        return _joined((*self.columns, *other.columns), text, [self, other])

    def having(self, other: Relation, on: str) -> Relation:
        """Return the rows that have a partner."""
        return _joined(self.columns, f"SELECT l.* FROM {quoted(self.name)} l LEFT SEMI JOIN {quoted(other.name)} r ON {on}", [self, other])  # fmt: skip

    def lacking(self, other: Relation, on: str) -> Relation:
        """Return the rows that have no partner."""
        return _joined(self.columns, f"SELECT l.* FROM {quoted(self.name)} l LEFT ANTI JOIN {quoted(other.name)} r ON {on}", [self, other])  # fmt: skip

    def union(self, other: Relation) -> Relation:
        """Return the rows of both, matched by their columns' names."""
        names = ", ".join(quoted(n) for n in self.columns)
        text = f"SELECT {names} FROM {quoted(self.name)} UNION ALL SELECT {names} FROM {quoted(other.name)}"
        return _joined(self.columns, text, [self, other])

    def _named_by(self, items: Iterable[str]) -> tuple[str, ...]:
        names: list[str] = []
        for item in items:
            names.extend(self.columns if item.strip() == "*" else [alias_of(item)])
        return tuple(names)

    def _step(self, columns: Iterable[str], text: str) -> Relation:
        return _joined(tuple(columns), text, [self])


def alias_of(item: str) -> str:
    """Return the name that a SELECT gives an item."""
    found = _ALIAS.search(item) or _NAME.fullmatch(item)
    if found is None:
        raise ValueError(f"the expression has no name: {item}")
    return found[1].replace("``", "`") if found[1] else found[2]


def _joined(columns: tuple[str, ...], text: str, parents: Sequence[Relation]) -> Relation:
    steps: dict[str, str] = {}
    inputs: dict[str, Any] = {}
    for parent in parents:
        for name, rows in parent.inputs.items():
            if name in inputs and inputs[name] is not rows:
                raise ValueError(f"two inputs are named {name}")
            inputs[name] = rows
        steps.update(parent.steps)
    name = f"q{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:10]}"
    return Relation(columns, (*((n, t) for n, t in steps.items() if n != name), (name, text)), inputs)


def values(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Relation:
    """Return rows of constants, given as SQL, as a relation."""
    said = ", ".join(f"({', '.join(row)})" for row in rows)
    return Relation(tuple(columns), ((name, f"SELECT * FROM VALUES {said} AS t({', '.join(columns)})"),), {})


def joined_by(keys: Iterable[str], left: str = "l", right: str = "r", prefix: str = "") -> str:
    """Return the condition that two rows have the same values in columns, those on the right under a prefix."""
    return " AND ".join(f"{left}.{quoted(k)} = {right}.{quoted(prefix + k)}" for k in keys)
