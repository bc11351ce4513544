"""The README's commands, typed as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from project import ROOT, Project, new_project

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


ASKING = [
    line.removeprefix(".venv/bin/ledgerlake ")
    for block in blocks("bash")
    for line in block.splitlines()
    if line.startswith(".venv/bin/ledgerlake ")
]


@pytest.mark.parametrize("line", ASKING)
def test_what_the_readme_asks_after_the_demo_is_answered(demo: tuple[Project, str], line: str) -> None:
    assert demo[0].command(*shlex.split(line)).stdout.strip()


def test_the_readme_s_first_pipeline_is_valid_as_it_stands(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    files = re.findall(r"`(conf/pipelines/shop/[^`]+)`:\n\n```\w+\n(.*?)```", README, flags=re.S)
    assert len(files) == 3
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert "nothing to mend" in project.command("validate", "shop").stdout


def test_the_readme_s_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
