"""Proves that what a pipeline serves is its own: no name of ours, no table that another pipeline serves too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledgerlake.config.models import Pipeline
from ledgerlake.config.source_map import Document, read_document
from ledgerlake.errors import ConfigError
from ledgerlake.publish.names import IDENTIFIER, is_reserved


def check_targets(pipeline: Pipeline, document: Document) -> Iterator[ConfigError]:
    """Yield what is wrong with the names under which marts are published."""
    others = _others(pipeline.folder)
    target = pipeline.spec.publication
    place = (target.database.upper(), target.schema_name.upper())
    for name in (target.database, target.schema_name, target.bi_schema):
        if not IDENTIFIER.fullmatch(name):
            yield ConfigError(
                f"{name!r} is not a name that Snowflake objects may have here", where=document.where("publication"),
                then="use letters, digits and _ only, not starting with a digit",
            )  # fmt: skip
    if target.schema_name.upper() == target.bi_schema.upper():
        yield ConfigError(
            "`schema` and `bi_schema` are the same: views would stand where their tables do",
            where=document.where("publication"), then="give the readers' views a schema of their own",
        )  # fmt: skip
    for index, mart in enumerate(pipeline.spec.marts):
        at = document.where("marts", index, "mart")
        if is_reserved(mart.mart):
            yield ConfigError(
                f"{mart.mart!r} may be one of ledgerlake's own tables", where=at,
                then="choose a name that does not begin with publication_",
            )  # fmt: skip
        other = others.get((*place, mart.mart.upper()))
        if mart.publish and other:
            yield ConfigError(
                f"the pipeline {other!r} publishes a table {mart.mart!r} into the same schema", where=at,
                then="rename one of them, or publish into a schema of its own",
            )  # fmt: skip


def _others(folder: Path) -> dict[tuple[str, str, str], str]:
    """Return (database, schema, table) → pipeline of what the pipelines beside this one publish; broken ones are not asked."""
    found: dict[tuple[str, str, str], str] = {}
    for file in sorted(folder.parent.glob("*/pipeline.yml")):
        if file.parent == folder:
            continue
        try:
            data = read_document(file).data
            found |= dict.fromkeys(_published(data), file.parent.name)
        except (ConfigError, AttributeError, KeyError, TypeError):
            continue  # `validate` says of that pipeline what is wrong with it
    return found


def _published(data: Any) -> Iterator[tuple[str, str, str]]:
    target = data["publication"]
    for mart in data.get("marts") or []:
        if mart.get("publish", True):
            yield str(target["database"]).upper(), str(target["schema"]).upper(), str(mart["mart"]).upper()
