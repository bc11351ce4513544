"""Great Expectations suites as ledgerlake reads them: frozen, checked, without GE or Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from ledgerlake.errors import ConfigError
from ledgerlake.quality.document import Document, read_document
from ledgerlake.quality.expectation import Expectation, OnFail
from ledgerlake.quality.registry import REGISTRY
from ledgerlake.quality.rules import check_kwargs, check_severity

_SUITE_KEYS = ("name", "expectations", "meta", "notes", "id")
_ENTRY_KEYS = ("type", "kwargs", "meta", "severity", "id", "notes", "description")
_OURS_KEYS = ("on_fail", "why")


@dataclass(frozen=True)
class Suite:
    """The expectations of one table; ``fingerprint`` changes whenever their meaning may."""

    name: str
    path: Path
    expectations: tuple[Expectation, ...]
    fingerprint: str

    def rule_name(self, expectation: Expectation) -> str:
        """Return ``suite:type(columns)``; ``#2`` is added where a second one reads the same."""
        earlier = self.expectations[: expectation.index]
        nth = 1 + sum(other.label == expectation.label for other in earlier)
        return f"{self.name}:{expectation.label}" + (f"#{nth}" if nth > 1 else "")


def load_suite(path: Path) -> Suite:
    """Read and check ``dq_suites/<pipeline>/<table>.json`` without Great Expectations or Spark.

    Raises ConfigError, with file and line, for anything unknown, missing or contradictory.
    """
    document = read_document(path)
    _known(document, None, document.content, _SUITE_KEYS, "suite")
    name, entries = document.content.get("name"), document.content.get("expectations")
    if not isinstance(name, str) or not name:
        raise ConfigError("suite has no name", where=document.where(), then='add "name": "…"')
    if not isinstance(entries, list) or not entries:
        raise ConfigError(
            "suite expects nothing, so it would pass anything",
            where=document.where(word="expectations"),
            then="add an expectation, or take the suite out of the pipeline",
        )
    loaded = tuple(_expectation(document, i, entry) for i, entry in enumerate(entries))
    _refuse_repeated(loaded)
    return Suite(name, path, loaded, document.fingerprint)


def _expectation(document: Document, index: int, entry: object) -> Expectation:
    where = document.where(index)
    if not isinstance(entry, dict):
        raise ConfigError(f"expectation {index + 1} is not a JSON object", where=where)
    _known(document, index, entry, _ENTRY_KEYS, "expectation")
    name, kwargs = entry.get("type"), entry.get("kwargs", {})
    if not isinstance(name, str) or name not in REGISTRY:
        raise ConfigError(
            f"unknown expectation type {name!r}",
            where=document.where(index, "type"),
            then="use one of " + ", ".join(sorted(REGISTRY)),
        )
    check_kwargs(document, index, name, kwargs)
    on_fail, why = _consequence(document, index, entry.get("meta") or {})
    given = {key: value for key, value in kwargs.items() if value is not None}
    severity = check_severity(document, index, entry.get("severity"))
    made = Expectation(name, given, on_fail, why, index, severity, where)
    _refuse_unanswerable_quarantine(made)
    return made


def _consequence(document: Document, index: int, meta: Mapping[str, object]) -> tuple[OnFail, str]:
    ours = meta.get("ledgerlake", {}) if isinstance(meta, dict) else None
    if not isinstance(ours, dict):
        raise ConfigError("meta.ledgerlake is an object", where=document.where(index, "meta"))
    _known(document, index, ours, _OURS_KEYS, "meta.ledgerlake")
    on_fail, why = ours.get("on_fail", "block"), ours.get("why", "")
    if on_fail not in get_args(OnFail) or not isinstance(why, str):
        raise ConfigError(
            "on_fail is warn, quarantine or block, and why is text",
            where=document.where(index, "ledgerlake"),
        )
    return cast("OnFail", on_fail), why


def _known(
    document: Document,
    index: int | None,
    entry: Mapping[str, object],
    allowed: Sequence[str],
    what: str,
) -> None:
    for key in entry:
        if key not in allowed:
            raise ConfigError(
                f"unknown key {key!r} in {what}",
                where=document.where(index, key),
                then="use " + ", ".join(allowed),
            )


def _refuse_unanswerable_quarantine(expectation: Expectation) -> None:
    if expectation.on_fail != "quarantine":
        return
    if expectation.kind.shape != "row" or expectation.mostly < 1:
        raise ConfigError(
            f"{expectation.type} cannot quarantine: a row must be refused or kept by itself,"
            " without its neighbours and without mostly",
            where=expectation.where,
            then="use on_fail warn or block, or drop mostly",
        )


def _refuse_repeated(expectations: Sequence[Expectation]) -> None:
    seen: list[tuple[str, Mapping[str, object]]] = []
    for expectation in expectations:
        if (expectation.type, expectation.kwargs) in seen:
            raise ConfigError(
                f"{expectation.label} is declared twice with the same arguments",
                where=expectation.where,
                then="keep one of the two",
            )
        seen.append((expectation.type, expectation.kwargs))
