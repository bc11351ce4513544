"""The small demo, played once for all the tests that ask about it."""

from __future__ import annotations

import pytest
from project import Project, new_project


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The small demo, played once as a command: its project and what it printed."""
    project = new_project(tmp_path_factory.mktemp("demo"))
    return project, project.command("demo", "--small").stdout
