"""Spark's SQL in DuckDB's words: each construct with its type, so that both engines give the same values.

A query is read by sqlglot and written anew from the leaves up. Every expression knows the type
that Spark gives it; where DuckDB would compute in another one, the words say so (sums of decimals,
products, quotients, branches of a CASE). A construct that is not listed here is not guessed at:
:class:`Unsupported` names it, and the query runs on Spark. What depends on the rows (a text that
only one engine reads as a number, an overflow) stops the query while it runs; then Spark takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from ledgerlake.engines.base import Unsupported
from ledgerlake.engines.embedded import kinds
from ledgerlake.engines.embedded.kinds import name

Columns = Mapping[str, str]
"""Column → Spark's type."""


@dataclass(frozen=True)
class Sql:
    """One expression in DuckDB's words, and its type in Spark's."""

    text: str
    kind: str
    literal: exp.Expr | None = None

    def cast(self, kind: str) -> Sql:
        """Return the same value in another type of the same family."""
        if kind == self.kind:
            return self
        return Sql(f"CAST({self.text} AS {kinds.duck(kind)})", kind)


@dataclass(frozen=True)
class Source:
    """What stands in a FROM: a name, and its columns in order."""

    alias: str
    columns: Columns
    merged: frozenset[str] = frozenset()  # columns of a USING, which are the left side's by their bare name


@dataclass(frozen=True)
class Scope:
    """Names that an expression may use."""

    sources: tuple[Source, ...] = ()
    aliases: Mapping[str, Sql] = field(default_factory=dict)
    variables: Mapping[str, Sql] = field(default_factory=dict)
    windows: Mapping[str, exp.Expr] = field(default_factory=dict)
    known: Mapping[str, Source] = field(default_factory=dict)

    def column(self, node: exp.Column) -> Sql:
        """Return a column by its name."""
        wanted, table = node.name, node.table
        if node.args.get("db"):  # a field of a field
            whole = self.column(exp.column(node.args["table"].copy(), table=node.args["db"].copy(), db=node.args.get("catalog")))
            return _field(whole, wanted)
        if not table and wanted.lower() in self.variables:
            return self.variables[wanted.lower()]
        hits = [
            (s, n, k) for s in self.sources if not table or s.alias.lower() == table.lower()
            for n, k in s.columns.items() if n.lower() == wanted.lower() and (table or n.lower() not in s.merged)
        ]  # fmt: skip
        if len(hits) == 1:
            source, found, kind = hits[0]
            return Sql(f"{name(source.alias)}.{name(found)}", kind)
        if not hits and not table and wanted.lower() in self.aliases:
            return self.aliases[wanted.lower()]
        if not hits and table:  # a field of a struct
            return _field(self.column(exp.column(exp.to_identifier(table))), wanted)
        raise Unsupported(f"the column {wanted}, which {'several inputs have' if hits else 'no input has'}")


@dataclass(frozen=True)
class Query:
    """A query in DuckDB's words and the columns that it gives, with Spark's types."""

    text: str
    columns: dict[str, str]


Inputs = Mapping[str, Columns]


def translated(text: str, inputs: Inputs) -> Query:
    """Return a SELECT of Spark's SQL over ``inputs`` (columns by the input's name) in DuckDB's words.

    Raises Unsupported for what is not proven to mean the same.
    """
    try:
        tree = parse_one(text, dialect="spark")
    except SqlglotError as error:
        raise Unsupported("SQL that cannot be parsed here") from error
    return query(tree, {n.lower(): Source(n, k) for n, k in inputs.items()})


def query(node: exp.Expr, known: Mapping[str, Source]) -> Query:
    """Translate a query over ``known`` inputs and common table expressions, by lower-case name."""
    with_ = node.args.get("with_") or node.args.get("with")
    heads = []
    if with_:
        if with_.args.get("recursive"):
            raise _unsupported(with_, "a recursive query")
        for cte in with_.expressions:
            body = query(cte.this, known)
            if cte.args["alias"].columns:
                body = _renamed(body, [i.name for i in cte.args["alias"].columns])
            known = {**known, cte.alias.lower(): Source(cte.alias, body.columns)}
            heads.append(f"{name(cte.alias)} AS ({body.text})")
    body = _body(node, known)
    if not heads:
        return body
    return Query(f"WITH {', '.join(heads)} {body.text}", body.columns)


def _body(node: exp.Expr, known: Mapping[str, Source]) -> Query:
    if isinstance(node, exp.Subquery):
        return _ordered(node, query(node.this, known))
    if isinstance(node, exp.Union | exp.Except | exp.Intersect):
        return _set_operation(node, known)
    if isinstance(node, exp.Select):
        return _select(node, known)
    raise _unsupported(node)


def _ordered(node: exp.Expr, body: Query) -> Query:
    if node.args.get("order") or node.args.get("limit"):
        raise _unsupported(node, "an ORDER BY or a LIMIT of a set of queries")
    return body


def _set_operation(node: exp.Union | exp.Except | exp.Intersect, known: Mapping[str, Source]) -> Query:
    if node.args.get("by_name") or node.args.get("on"):
        raise _unsupported(node)
    left, right = query(node.left, known), query(node.right, known)
    _ordered(node, left)
    merged = [kinds.common(pair) for pair in zip(left.columns.values(), right.columns.values(), strict=True)]
    both = [_cast_all(q, merged) for q in (left, right)]
    word = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}[type(node)]
    distinct = "" if node.args.get("distinct") else " ALL"
    return Query(f"({both[0]}) {word}{distinct} ({both[1]})", dict(zip(left.columns, merged, strict=True)))


def _cast_all(body: Query, wanted: Sequence[str]) -> str:
    if list(body.columns.values()) == list(wanted):
        return body.text
    items = (Sql(name(n), k).cast(w).text + f" AS {name(n)}" for (n, k), w in zip(body.columns.items(), wanted, strict=True))
    return f"SELECT {', '.join(items)} FROM ({body.text})"


def _renamed(body: Query, names: list[str]) -> Query:
    pairs = list(zip(body.columns.items(), names, strict=True))
    items = ", ".join(f"{name(old)} AS {name(new)}" for (old, _), new in pairs)
    return Query(f"SELECT {items} FROM ({body.text})", {new: kind for (_, kind), new in pairs})


_SELECT_PARTS = {
    "expressions", "from_", "from", "joins", "where", "group", "having", "order", "limit", "distinct", "with_", "with",
    "windows", "laterals", "kind", "hint", "qualify", "operation_modifiers",
}  # fmt: skip


def _select(node: exp.Select, known: Mapping[str, Source]) -> Query:
    for part, value in node.args.items():
        if value and part not in _SELECT_PARTS:
            raise _unsupported(node, part)
    if node.args.get("qualify") or node.args.get("kind"):
        raise _unsupported(node, "QUALIFY")
    scope, tables = _from(node, known)
    for lateral in node.args.get("laterals") or []:
        scope, tables = _lateral(lateral, scope, tables)
    scope = replace(scope, known=known, windows={w.this.name.lower(): w for w in node.args.get("windows") or []})
    items, scope = _items(node, scope)
    if not items:
        raise _unsupported(node, "a SELECT of nothing")
    columns: dict[str, str] = {}
    for title, value in items:
        if title.lower() in {n.lower() for n in columns}:
            raise _unsupported(node, f"two columns named {title}")
        columns[title] = value.kind
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        raise _unsupported(node, "DISTINCT ON")
    text = f"SELECT {'DISTINCT ' if distinct else ''}" + ", ".join(f"{v.text} AS {name(n)}" for n, v in items)
    text += f" FROM {tables}" if tables else ""
    if node.args.get("where"):
        text += f" WHERE {_boolean(node.args['where'].this, scope)}"
    text += _grouping(node, items, scope)
    if node.args.get("having"):
        text += f" HAVING {_boolean(node.args['having'].this, scope)}"
    if node.args.get("order"):
        shown = {n.lower(): Sql(name(n), v.kind) for n, v in items}  # asked before the inputs' columns
        text += f" ORDER BY {_order(node.args['order'], replace(scope, variables=shown))}"
    if node.args.get("limit"):
        text += f" LIMIT {int(node.args['limit'].expression.name)}"
    return Query(text, columns)


def _grouping(node: exp.Select, items: list[tuple[str, Sql]], scope: Scope) -> str:
    group = node.args.get("group")
    if group is None:
        return ""
    if any(v for k, v in group.args.items() if k != "expressions"):
        raise _unsupported(group, "GROUP BY with ROLLUP, CUBE, SETS or ALL")
    keys = []
    for key in group.expressions:
        if isinstance(key, exp.Literal) and not key.is_string:
            keys.append(items[int(key.name) - 1][1].text)
        else:
            keys.append(expression(key, scope).text)
    return f" GROUP BY {', '.join(keys)}" if keys else ""


def _items(node: exp.Select, scope: Scope) -> tuple[list[tuple[str, Sql]], Scope]:
    items: list[tuple[str, Sql]] = []
    for item in node.expressions:
        if isinstance(item, exp.Aliases):
            items += _several(item, scope)
            continue
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            items += _star(item, scope)
            continue
        value = expression(item.unalias(), scope)
        title = item.alias or (item.name if isinstance(item, exp.Column | exp.Dot) else f"_c{len(items)}")
        items.append((title, value))
        scope = replace(scope, aliases={**scope.aliases, title.lower(): value})
    return items, scope


def _several(item: exp.Aliases, scope: Scope) -> list[tuple[str, Sql]]:
    """Return the columns of ``posexplode(…) AS (place, value)``: an item a row, with its place from 0."""
    maker, titles = item.this, [n.name for n in item.args["expressions"]]
    if not isinstance(maker, exp.Posexplode) or len(titles) != 2:
        raise _unsupported(item)
    values = expression(maker.this, scope)
    kind = kinds.element(values.kind)
    places = f"list_transform(range(len({values.text})), lambda i: CAST(i AS INTEGER))"
    listed = values.text
    if "Outer" in type(maker).__name__:
        empty = f"coalesce(len({values.text}), 0) = 0"
        places = f"CASE WHEN {empty} THEN [CAST(NULL AS INTEGER)] ELSE {places} END"
        listed = f"CASE WHEN {empty} THEN [CAST(NULL AS {kinds.duck(kind)})] ELSE {values.text} END"
    return [(titles[0], Sql(f"unnest({places})", "int")), (titles[1], Sql(f"unnest({listed})", kind))]


def _star(item: exp.Expr, scope: Scope) -> list[tuple[str, Sql]]:
    star = item if isinstance(item, exp.Star) else item.this
    if star.args.get("replace") or star.args.get("rename"):
        raise _unsupported(item)
    left_out = {e.name.lower() for e in star.args.get("except_") or star.args.get("except") or []}
    table = item.table if isinstance(item, exp.Column) else ""
    sources = [s for s in scope.sources if not table or s.alias.lower() == table.lower()]
    if table and not sources:  # all fields of a struct
        whole = scope.column(exp.column(exp.to_identifier(table)))
        return [(n, _field(whole, n)) for n in kinds.fields(whole.kind)]
    found = [
        (column, Sql(f"{name(source.alias)}.{name(column)}", kind))
        for source in sources for column, kind in source.columns.items()
        if column.lower() not in left_out and (table or column.lower() not in source.merged)
    ]  # fmt: skip
    merged = set().union(*(s.merged for s in sources)) if not table else set()
    return sorted(found, key=lambda item: item[0].lower() not in merged)  # those of a USING come first


def _from(node: exp.Select, known: Mapping[str, Source]) -> tuple[Scope, str]:
    from_ = node.args.get("from_") or node.args.get("from")
    if from_ is None:
        return Scope(), ""
    source, text = _table(from_.this, known)
    scope = Scope((source,))
    for join in [*(from_.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
        scope, text = _join(join, known, scope, text)
    return scope, text


def _table(node: exp.Expr, known: Mapping[str, Source]) -> tuple[Source, str]:
    if isinstance(node, exp.Table):
        extra = {k for k, v in node.args.items() if v} - {"this", "alias", "joins"}
        if extra or node.name.lower() not in known:
            raise _unsupported(node, f"the table {node.sql(dialect='spark')}")
        origin = known[node.name.lower()]
        source = Source(node.alias or node.name, origin.columns)
        return source, f"{name(origin.alias)} AS {name(source.alias)}"
    if isinstance(node, exp.Subquery):
        body = query(node.this, known)
        alias = node.alias or f"_of_{'_'.join(body.columns)}"[:60]
        names = node.args["alias"].columns if node.args.get("alias") else []
        body = _renamed(body, [i.name for i in names]) if names else body
        return Source(alias, body.columns), f"({body.text}) AS {name(alias)}"
    if isinstance(node, exp.Values):
        return _values(node)
    raise _unsupported(node)


def _values(node: exp.Values) -> tuple[Source, str]:
    rows = [[expression(v, Scope()) for v in (row.expressions if isinstance(row, exp.Tuple) else [row])] for row in node.expressions]
    types = [kinds.common(k.kind for k in column) for column in zip(*rows, strict=True)]
    names = [i.name for i in node.args["alias"].columns] or [f"col{n}" for n in range(1, len(types) + 1)]
    text = ", ".join(f"({', '.join(v.cast(t).text for v, t in zip(row, types, strict=True))})" for row in rows)
    alias = node.alias
    titles = ", ".join(name(n) for n in names)
    return Source(alias, dict(zip(names, types, strict=True))), f"(VALUES {text}) AS {name(alias)}({titles})"


def _join(node: exp.Join, known: Mapping[str, Source], scope: Scope, text: str) -> tuple[Scope, str]:
    side, kind = (node.args.get("side") or "").upper(), (node.args.get("kind") or "").upper()
    using = [i.name for i in node.args.get("using") or []]
    if node.args.get("method") or (using and side in ("RIGHT", "FULL")) or kind not in ("", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"):
        raise _unsupported(node, "a NATURAL join, or a RIGHT or FULL one with USING")
    source, right = _table(node.this, known)
    both = Scope((*scope.sources, source))
    on = node.args.get("on")
    if using:
        same = [
            exp.EQ(this=exp.column(n, table=_holder(scope, n)), expression=exp.column(n, table=source.alias)) for n in using
        ]
        on = exp.and_(*same)
    words = f"{kind} JOIN" if kind in ("SEMI", "ANTI") else "CROSS JOIN" if on is None else f"{side or 'INNER'} JOIN"
    condition = "" if on is None else f" ON {_boolean(on, both)}"
    if kind in ("SEMI", "ANTI") and on is None:
        raise _unsupported(node, "a semi join without a condition")
    if using:
        both = Scope((*scope.sources, replace(source, merged=frozenset(n.lower() for n in using))))
    return (scope if kind in ("SEMI", "ANTI") else both), f"{text} {words} {right}{condition}"


def _holder(scope: Scope, column: str) -> str:
    """Return the one input on the left that has a column, by its bare name."""
    found = [s.alias for s in scope.sources if column.lower() in {n.lower() for n in s.columns} - s.merged]
    if len(found) != 1:
        raise Unsupported(f"USING of {column}")
    return found[0]


def _lateral(node: exp.Lateral, scope: Scope, text: str) -> tuple[Scope, str]:
    outer = bool(node.args.get("outer"))
    maker = node.this
    alias = node.args.get("alias")
    titles = [i.name for i in alias.columns] if alias else []
    table = alias.name if alias and alias.this else "_lateral"
    if isinstance(maker, exp.Posexplode):
        raise _unsupported(node, "posexplode")
    if not isinstance(maker, exp.Explode) or len(titles) > 1:
        raise _unsupported(node)
    values = expression(maker.this, scope)
    title = titles[0] if titles else "col"
    source = Source(table, {title: kinds.element(values.kind)})
    word = "LEFT JOIN" if outer or "Outer" in type(maker).__name__ else "INNER JOIN"
    return Scope((*scope.sources, source)), f"{text} {word} (SELECT unnest({values.text}) AS {name(title)}) AS {name(table)} ON true"


def _order(node: exp.Order, scope: Scope) -> str:
    return ", ".join(_ordered_item(item, scope) for item in node.expressions)


def _ordered_item(item: exp.Expr, scope: Scope) -> str:
    if not isinstance(item, exp.Ordered):
        return f"{expression(item, scope).text} ASC NULLS FIRST"
    down, first = bool(item.args.get("desc")), bool(item.args.get("nulls_first"))
    if isinstance(item.this, exp.Literal):
        raise _unsupported(item, "ORDER BY a number")
    return f"{expression(item.this, scope).text} {'DESC' if down else 'ASC'} NULLS {'FIRST' if first else 'LAST'}"


def _boolean(node: exp.Expr, scope: Scope) -> str:
    value = expression(node, scope)
    if value.kind not in ("boolean", kinds.VOID):
        raise _unsupported(node, f"a condition of type {value.kind}")
    return value.text


def _unsupported(node: exp.Expr, what: str = "") -> Unsupported:
    line = next((n.meta["line"] for n in node.walk() if n.meta.get("line")), 0)
    return Unsupported(what or _spoken(node), line)


def _spoken(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"{node.name.lower()}()"
    if isinstance(node, exp.Func):
        return f"{node.sql_name().lower()}()"
    return type(node).__name__.lower()


def _field(whole: Sql, wanted: str) -> Sql:
    found = {n.lower(): (n, k) for n, k in kinds.fields(whole.kind).items()}.get(wanted.lower())
    if found is None:
        raise Unsupported(f"the field {wanted}")
    return Sql(f"({whole.text}).{name(found[0])}", found[1])


Rule = Callable[[Any, Scope], Sql]
RULES: dict[type[exp.Expr], Rule] = {}
"""Node of the tree → how it is said."""
CALLS: dict[str, Rule] = {}
"""Function that sqlglot has no node for → how it is said."""


def rule(*nodes: type[exp.Expr]) -> Callable[[Rule], Rule]:
    """Register how nodes are said."""

    def registered(say: Rule) -> Rule:
        RULES.update(dict.fromkeys(nodes, say))
        return say

    return registered


def call(*names: str) -> Callable[[Rule], Rule]:
    """Register how functions are said."""

    def registered(say: Rule) -> Rule:
        CALLS.update(dict.fromkeys(names, say))
        return say

    return registered


def expression(node: exp.Expr, scope: Scope) -> Sql:
    """Translate one expression."""
    say = CALLS.get(node.name.lower()) if isinstance(node, exp.Anonymous) else _rule_of(type(node))
    if say is None:
        raise _unsupported(node)
    try:
        return say(node, scope)
    except Unsupported as problem:
        if problem.line:
            raise
        raise _unsupported(node, problem.construct) from None


def _rule_of(kind: type[exp.Expr]) -> Rule | None:
    return next((RULES[k] for k in kind.__mro__ if k in RULES), None)


from ledgerlake.engines.embedded import functions, operators  # noqa: E402, F401 (they register themselves)
