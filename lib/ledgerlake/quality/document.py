"""A JSON file read strictly: exact numbers, no repeated keys, and the line of every entry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from ledgerlake.errors import ConfigError, Where

_LIST = re.compile(r'"expectations"\s*:\s*\[')
_GAP = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class Document:
    """One suite file: its text, its content, and where each expectation starts in it."""

    path: Path
    text: str
    content: Mapping[str, object]
    starts: tuple[int, ...]  # character offsets of the expectations

    def where(self, index: int | None = None, word: str | None = None) -> Where:
        """Return the place of ``word`` in the file or in its expectation number ``index``."""
        start = 0 if index is None or index >= len(self.starts) else self.starts[index]
        found = self.text.find(f'"{word}"', start) if word else start
        offset = found if found >= 0 else start
        return Where(file=str(self.path), line=self.text.count("\n", 0, offset) + 1)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content: the layout of the file and the order of keys do not count."""
        # A decimal is marked, so that the number 1.5 and the string "1.5" differ.
        canonical = json.dumps(self.content, sort_keys=True, separators=(",", ":"), default=lambda d: {"#": str(d)})
        return sha256(canonical.encode()).hexdigest()


def read_document(path: Path) -> Document:
    """Read ``path``; raise ConfigError with file and line where it is not strict JSON."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"suite cannot be read: {type(error).__name__}",
            where=Where(file=str(path)),
            then="create it, or correct the path in the pipeline",
        ) from error
    try:
        content = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"suite is not JSON: {error.msg}",
            where=Where(file=str(path), line=error.lineno),
            then="correct the JSON",
        ) from error
    except ValueError as error:
        raise _refused(path, str(error)) from error
    except RecursionError:
        raise _refused(path, "the suite is nested too deeply") from None
    if not isinstance(content, dict):
        raise _refused(path, "a suite is a JSON object")
    return Document(path, text, content, _starts(text, content))


def _refused(path: Path, what: str) -> ConfigError:
    return ConfigError(what, where=Where(file=str(path), line=1), then="see dq_suites/README.md")


def _unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'key "{twice}" is repeated in one object')
    return content


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_float=Decimal, parse_constant=_no_constant)


def _starts(text: str, content: Mapping[str, object]) -> tuple[int, ...]:
    entries = content.get("expectations")
    opening = _LIST.search(text)
    if not isinstance(entries, list) or opening is None:
        return ()
    starts, offset = [], opening.end()
    for _ in entries:
        gap = _GAP.match(text, offset)
        start = gap.end() if gap else offset
        try:
            _, offset = _DECODER.raw_decode(text, start)
        except ValueError:  # the word also stands in ``meta``: lines are lost, nothing else
            break
        starts.append(start)
    return tuple(starts)
