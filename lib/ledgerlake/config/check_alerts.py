"""Proves that alert rules fit what is published: their SQL, their keys and their messages."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter

import sqlglot
from sqlglot import exp

from ledgerlake.config.alerting import AlertRule
from ledgerlake.config.mart_sql import mart_columns, output_columns
from ledgerlake.config.models import Pipeline
from ledgerlake.config.personal import personal_columns
from ledgerlake.config.source_map import Document
from ledgerlake.errors import ConfigError, Where


def check_alert_rules(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    """Yield what is wrong with the rules of a pipeline whose marts were found right."""
    rules = pipeline.spec.alerts.rules
    if not rules:
        return
    published = {n: k for n, k in mart_columns(pipeline).items() if pipeline.mart(n).publish}
    names = [r.alert for r in rules]
    for index, rule in enumerate(rules):
        at = document.where("alerts", "rules", index)
        if rule.alert in names[:index]:
            yield ConfigError(f"the alert {rule.alert!r} is declared twice", where=at, then="rename one")
        if pipeline.spec.alerts.webhook_of(rule) is None:
            yield ConfigError("nobody would hear of it", where=at, then="give `webhook:` here, or below `alerts:`")
        yield from _check_rule(pipeline, rule, published, document, index)


def _check_rule(
    pipeline: Pipeline, rule: AlertRule, published: dict[str, dict[str, str]], document: Document, index: int
) -> Iterator[ConfigError]:
    text, file = pipeline.alert_sql[rule.alert], str(pipeline.folder / rule.sql)
    try:
        columns = output_columns(text, file, published, f"a rule reads published marts: {sorted(published)}")
        fields = message_fields(rule.message)
    except ConfigError as error:
        yield error
        return
    except ValueError as error:
        where = document.where("alerts", "rules", index, "message")
        yield ConfigError(
            f"the message cannot be read: {error}", where=where, then="write {column}, and {{ for a brace"
        )
        return
    for place, wanted in (("key", set(rule.key)), ("message", fields)):
        if wanted - set(columns):
            where = document.where("alerts", "rules", index, place)
            yield ConfigError(f"the SQL gives no column {sorted(wanted - set(columns))}", where=where,
                              then=f"it gives {columns}")  # fmt: skip
    named = {c.name for c in sqlglot.parse_one(text, dialect="spark").find_all(exp.Column)}
    private = {n for m in marts_of(text) for n in personal_columns(pipeline, pipeline.mart(m))}
    personal = (named | set(columns)) & private  # what a star stands for is among the columns
    if personal:
        yield ConfigError(
            f"the SQL reads {sorted(personal)}, which the contract declares as personal", where=Where(file=file),
            then="leave them out: messages leave the lake",
        )  # fmt: skip


def message_fields(template: str) -> set[str]:
    """Return the columns that a message names; ValueError where it asks for more than their values."""
    parts = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(template) if name is not None]
    wrong = [name for name, spec, conversion in parts if spec or conversion or not name.isidentifier()]
    if wrong:
        raise ValueError(f"{{{wrong[0]}}} is more than a column")
    return {name for name, _, _ in parts}


def marts_of(text: str) -> list[str]:
    """Return the marts that a rule's SQL reads, in order."""
    tree = sqlglot.parse_one(text, dialect="spark")
    return sorted({t.name for t in tree.find_all(exp.Table)} - {c.alias for c in tree.find_all(exp.CTE)})
