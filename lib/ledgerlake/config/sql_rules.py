"""What declared SQL may be: one SELECT (or one expression) over declared inputs, repeatable and closed.

Everything that a pipeline declares in SQL comes through here: marts, alert rules, partition
expressions, masters, conditions of suites. Raises ConfigError with file and line, before Spark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ParseError, TokenError

from ledgerlake.config.sql_functions import NOT_CALLS, REFUSED, near, spark_functions
from ledgerlake.errors import ConfigError, Where

Place = Callable[[int], Where]
"""Returns the place of a line of the SQL text, from 1."""

Fault = tuple[str, str, int]
"""What is wrong, what to do instead, and the line."""

_SPARK = Spark()
_NO_NAMES = {TokenType.STRING, TokenType.NUMBER}
_PARSED = {name.lower() for name in Spark.Parser.FUNCTIONS}
_TIMES = (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPNTZ)  # fmt: skip
_NOW = {"now", "today", "yesterday", "tomorrow"}
_CALLED_BARE = {"current_date", "current_timestamp", "current_time", "current_user", "session_user"}


def select(text: str, file: str) -> exp.Query:
    """Return the one SELECT of a SQL file; raise ConfigError for everything else."""
    tree = _proved(text, lambda line: Where(file=file, line=line), "the SQL", "one SELECT")
    if not isinstance(tree, exp.Query):
        raise ConfigError("the SQL is no SELECT", where=Where(file=file, line=1), then="write one SELECT")
    return tree


def expression(text: str, where: Where, what: str) -> exp.Expr:
    """Return one SQL expression over the columns of a row; ``what`` names it in messages."""
    tree = _proved(text, lambda _: where, f"the {what}", "one expression")
    if not isinstance(tree, exp.Condition) or tree.find(exp.Query):
        raise ConfigError(f"the {what} is no expression over a row", where=where, then="use columns and functions only")
    return tree


def _proved(text: str, place: Place, subject: str, wanted: str) -> exp.Expr:
    try:
        tokens = _SPARK.tokenize(text)
        statements = [s for s in _SPARK.parser().parse(tokens, text) if s is not None]
        if len(statements) != 1 or isinstance(statements[0], exp.Semicolon):
            raise ConfigError(f"{subject} holds {len(statements)} statements", where=place(1), then=f"write {wanted}")
        for what, then, line in _faults(text, tokens, statements[0]):
            raise ConfigError(what.replace("the SQL", subject, 1), where=place(line), then=then)
    except TokenError:
        raise ConfigError(
            f"{subject} opens a quote and does not close it", where=place(_open_quote(text)), then="close the quote"
        ) from None
    except ParseError as error:
        first: dict[str, Any] = error.errors[0] if error.errors else {"line": 1, "description": "correct it"}
        raise ConfigError(
            f"{subject} cannot be parsed", where=place(int(first["line"] or 1)), then=str(first["description"])
        ) from None
    except RecursionError:
        raise ConfigError(
            f"{subject} is nested too deeply", where=place(1), then="use WITH to say it in steps"
        ) from None
    return statements[0]


def _open_quote(text: str) -> int:
    """Return the line of the quote that is left open, as near as text alone can tell."""
    closed = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*", lambda m: "\n" * m[0].count("\n"), text)
    found = re.search(r"['\"`]", closed)
    return closed.count("\n", 0, found.start()) + 1 if found else 1


def _faults(text: str, tokens: Sequence[Token], tree: exp.Expr) -> Iterator[Fault]:
    """Yield what the SQL may not do: what, what instead, and the line."""
    if "${" in text:
        line = text.count("\n", 0, text.index("${")) + 1
        yield "the SQL holds `${`, which Spark would replace by a setting or a variable", "write the value itself", line
    yield from _calls(tokens)
    yield from _inputs(tree, text)
    if tree.find(exp.QueryTransform):
        yield "the SQL runs a script (TRANSFORM … USING)", "use SQL functions", _line(text, "transform")
    for cast in tree.find_all(exp.Cast):
        if isinstance(cast.this, exp.Literal) and cast.is_type(*_TIMES) and cast.this.name.strip().lower() in _NOW:
            yield f"the SQL reads the clock ({cast.this.name!r})", REFUSED["now"][1], _line(text, cast.this.name)


def _calls(tokens: Sequence[Token]) -> Iterator[Fault]:
    """Yield functions that are refused or unknown; also those that Spark calls without parentheses."""
    end = Token(TokenType.SEMICOLON, ";")
    for before, token, after, last in zip([end, *tokens], tokens, [*tokens[1:], end], [*tokens[2:], end, end], strict=False):  # fmt: skip
        name, called = token.text.lower(), after.token_type == TokenType.L_PAREN
        if token.token_type in _NO_NAMES or not (called or name in _CALLED_BARE):
            continue
        if before.token_type == TokenType.DOT:
            if called:
                yield f"the SQL calls {name} by a qualified name", "name built-in functions alone", token.line
        elif name in REFUSED and (called or token.token_type != TokenType.IDENTIFIER):
            yield f"the SQL may not use {name}: it {REFUSED[name][0]}", REFUSED[name][1], token.line
        elif name == "unix_timestamp" and last.token_type == TokenType.R_PAREN:
            yield f"the SQL may not use {name}(): it {REFUSED['now'][0]}", REFUSED["now"][1], token.line
        elif name in _PARSED and name not in spark_functions() | NOT_CALLS:
            yield f"the SQL calls {name}, which Spark does not have", near(name), token.line


def _inputs(tree: exp.Expr, text: str) -> Iterator[Fault]:
    """Yield unknown functions, and inputs that are no declared table."""
    for call in tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name not in spark_functions():
            yield f"the SQL calls {name}, which Spark does not have", near(name), _line(text, call.name)
    for table in tree.find_all(exp.Table):
        line = _line(text, table.name)
        if table.db or table.catalog:
            yield f"the SQL reads {table.name!r} by a path or a catalog", "read declared inputs by their names", line
        elif not isinstance(table.this, exp.Identifier):
            yield "the SQL reads a table function", "use LATERAL VIEW, or declare an input", line
        elif table.args.get("version") or table.args.get("when"):
            yield f"the SQL chooses a version of {table.name}", "leave it out: a run reads what it has judged", line
    if tree.find(exp.TableSample):
        yield "the SQL reads a sample, which is another one each time", REFUSED["rand"][1], _line(text, "tablesample")


def _line(text: str, word: str) -> int:
    at = text.lower().find(word.lower())
    return text.count("\n", 0, at) + 1 if at >= 0 else 1
