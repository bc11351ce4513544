"""YAML with a memory of lines: every value knows where it stands, duplicate keys are errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ledgerlake.errors import ConfigError, Where

PLACES_MAX = 100_000
"""Aliases of aliases unfold a few lines to billions of values; no declaration has so many."""


@dataclass(frozen=True)
class Document:
    """Parsed YAML, its file, and the line of each path of keys and indexes."""

    file: Path
    data: Any
    lines: Mapping[tuple[str | int, ...], int]

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of ``path`` or of its nearest declared ancestor."""
        for length in range(len(path), -1, -1):
            if tuple(path[:length]) in self.lines:
                return self.lines[tuple(path[:length])]
        return 1

    def where(self, *path: str | int) -> Where:
        """Return the place of ``path`` for an error message."""
        return Where(file=str(self.file), line=self.line(path))


def read_document(file: Path) -> Document:
    """Parse one YAML file; raise :class:`ConfigError` with its line where it is not YAML."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "cannot read the file", where=Where(file=str(file)), then="check its path and encoding"
        ) from error
    return _parsed(file, text)


@lru_cache(maxsize=512)
def _parsed(file: Path, text: str) -> Document:
    """Parse a file's text: checks ask for the same document again and again."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        data = loader.construct_document(root) if root is not None else None
        lines: dict[tuple[str | int, ...], int] = {}
        if root is not None:
            _walk(root, (), lines, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = Where(file=str(file), line=mark.line + 1 if mark else 1)
        raise ConfigError(f"not YAML: {error.problem}", where=where, then="fix the syntax") from error
    except (yaml.YAMLError, ValueError) as error:  # a character that YAML forbids; a date or a number that is none
        reason = getattr(error, "reason", None) or str(error)
        then = "remove the character, or quote the value"
        raise ConfigError(f"not YAML: {reason}", where=Where(file=str(file), line=1), then=then) from None
    except RecursionError:
        raise ConfigError("nested too deeply", where=Where(file=str(file), line=1), then="declare it flat") from None
    return Document(file, data, lines)


def _walk(node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], file: Path) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if len(lines) > PLACES_MAX:
        raise ConfigError(
            f"more than {PLACES_MAX:,} values", where=Where(file=str(file), line=node.start_mark.line + 1),
            then="write them out without anchors that repeat each other",
        )  # fmt: skip
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            here = (*path, str(key_node.value))
            if here in lines:
                raise ConfigError(
                    f"the key {key_node.value!r} stands twice",
                    where=Where(file=str(file), line=key_node.start_mark.line + 1),
                    then="keep one of them",
                )
            lines[here] = key_node.start_mark.line + 1
            _walk(value, here, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, file)
