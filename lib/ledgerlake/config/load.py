"""Reads ``conf/`` into frozen models; the first wrong key stops with its file and line."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Model, Pipeline, PipelineFile, Table
from ledgerlake.config.source_map import Document, read_document
from ledgerlake.core.money import CURRENCY_DIGITS
from ledgerlake.errors import ConfigError, Where
from ledgerlake.quality.suite import load_suite

M = TypeVar("M", bound=Model)


def parse(document: Document, model: type[M]) -> M:
    """Return the document as ``model``; raise :class:`ConfigError` for the first problem."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise _config_error(document, error, model) from None


def _config_error(document: Document, error: ValidationError, model: type[Model]) -> ConfigError:
    # A mistyped key is both unknown and missing: the unknown one is what the reader can see.
    problem = min(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
    path = tuple(p for p in problem["loc"] if isinstance(p, int) or p in _keys(document))
    message, name = problem["msg"], str(problem["loc"][-1]) if problem["loc"] else ""
    then = "see the field's documentation in docs/configuration.md"
    if problem["type"] == "extra_forbidden":
        message = f"unknown key {name!r}"
        near = difflib.get_close_matches(name, _known_keys(model), 1)
        then = f"did you mean {near[0]!r}?" if near else "remove it"
    elif problem["type"] == "missing":
        message, then = f"the key {name!r} is missing", f"add `{name}: …`"
    elif name:
        message = f"{name}: {message}"
    return ConfigError(message, where=document.where(*path), then=then)


def _keys(document: Document) -> set[str | int]:
    return {part for path in document.lines for part in path}


def _known_keys(model: type[Model]) -> list[str]:
    from ledgerlake.config import alerting, models

    family = [m for m in (vars(models) | vars(alerting)).values() if isinstance(m, type) and issubclass(m, Model)]
    names = {f.alias or n for m in family for n, f in m.model_fields.items()}
    return sorted(names | set(model.model_fields))


def load_environment(conf: Path, name: str) -> Environment:
    """Load ``conf/environments/<name>.yml``; its relative folders lie in the project, beside ``conf``."""
    file = conf / "environments" / f"{name}.yml"
    if not file.is_file():
        known = sorted(p.stem for p in (conf / "environments").glob("*.yml"))
        raise ConfigError(f"no environment {name!r}", where=Where(file=str(file)), then=f"use one of {known}")
    environment = parse(read_document(file), Environment)
    folders = {n: getattr(environment, n) for n in ("lake", "sources", "snowflake_folder")}
    located = {n: str(conf.absolute().parent / v) for n, v in folders.items() if v and "://" not in v}
    return environment.model_copy(update=located)


def pipeline_names(conf: Path) -> list[str]:
    """Return the pipelines declared under ``conf/pipelines``."""
    return sorted(p.parent.name for p in (conf / "pipelines").glob("*/pipeline.yml"))


def load_pipeline(conf: Path, suites: Path, name: str) -> Pipeline:
    """Load a pipeline with its tables, SQL and suites; cross-checks are ``config.check``'s."""
    folder = conf / "pipelines" / name
    if not (folder / "pipeline.yml").is_file():
        raise ConfigError(
            f"no pipeline {name!r}",
            where=Where(file=str(folder / "pipeline.yml")),
            then=f"use one of {pipeline_names(conf)}",
        )
    spec = parse(read_document(folder / "pipeline.yml"), PipelineFile)
    own = _load_currencies(conf / "currencies.yml")
    tables = {n: t.model_copy(update={"currencies": own}) for n, t in _load_tables(folder / "tables").items()}
    sql = {m.mart: _read_sql(folder, m.sql) for m in spec.marts}
    alert_sql = {r.alert: _read_sql(folder, r.sql) for r in spec.alerts.rules}
    loaded = _load_suites(suites, folder, spec, tables)
    return Pipeline(folder=folder, spec=spec, tables=tables, sql=sql, suites=loaded, alert_sql=alert_sql)


def _load_currencies(file: Path) -> dict[str, int]:
    """Return the project's own currency codes with their decimals; none without the file."""
    if not file.is_file():
        return {}
    document = read_document(file)
    for code, digits in document.data.items():
        fits = re.fullmatch("[A-Z]{3}", str(code)) and type(digits) is int and digits in CURRENCY_DIGITS
        if not fits:
            raise ConfigError(
                f"{code!r} is no currency with its decimals", where=document.where(code),
                then="write a code of three capitals and its number of decimals: `GGP: 2`",
            )  # fmt: skip
    return dict(document.data)


def _load_tables(folder: Path) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for file in sorted(folder.glob("*.yml")):
        table = parse(read_document(file), Table)
        if table.table != file.stem:
            raise ConfigError(
                f"the file declares table {table.table!r}",
                where=Where(file=str(file), line=1),
                then=f"name the file {table.table}.yml",
            )
        tables[table.table] = table
    return tables


def _read_sql(folder: Path, name: str) -> str:
    file = folder / name
    if not file.is_file():
        raise ConfigError("the SQL file does not exist", where=Where(file=str(file)), then="create it")
    return file.read_text(encoding="utf-8")


def _load_suites(suites: Path, folder: Path, spec: PipelineFile, tables: dict[str, Table]) -> dict[str, Any]:
    named: list[tuple[str | None, str, tuple[str | int, ...]]] = [
        *((t.suite, f"tables/{t.table}.yml", ("suite",)) for t in tables.values()),
        *((m.suite, "pipeline.yml", ("marts", n, "suite")) for n, m in enumerate(spec.marts)),
    ]
    loaded = {}
    for name, declaration, place in named:
        if name is None:
            continue
        file = suites / spec.pipeline / f"{name}.json"
        if not file.is_file():
            where = read_document(folder / declaration).where(*place)
            raise ConfigError(
                f"the suite {name!r} does not exist", where=where, then=f"write {file}, or remove `suite:`"
            )
        loaded[name] = load_suite(file)
    return loaded
