"""The small demo, played once for all the tests that ask about it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import Project, new_project


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter: pytest closes its own to all but the caller."""
    with tempfile.TemporaryDirectory(prefix="ledgerlake-tests-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def demo(open_folder: Path) -> tuple[Project, str]:
    """The small demo, played once as a command: its project and what it printed."""
    project = new_project(open_folder / "demo")
    return project, project.command("demo", "--small").stdout
