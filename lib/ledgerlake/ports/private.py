"""What this process writes is its owner's alone: files, folders, and those of its children."""

from __future__ import annotations

import os
from collections.abc import Mapping

OTHERS = 0o077
_HARMLESS = ("HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TEMP", "TMP", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")
_HARMLESS_PREFIXES = ("LC_", "PYTHON")


def owner_only() -> None:
    """Let nobody else read what is written from now on: lakes hold money and people."""
    os.umask(OTHERS)


def bare_environment(environment: Mapping[str, str], **added: str) -> dict[str, str]:
    """Return what a child of ours needs of the environment; secrets that stand in it stay behind."""
    kept = {k: v for k, v in environment.items() if k in _HARMLESS or k.startswith(_HARMLESS_PREFIXES)}
    return kept | added
