"""All demos as their user sees them: one command, what it printed by pipeline and chapter, and its project."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from end_to_end.project import Project, new_project
from ledgerlake.demo.demos import NAMES


@dataclass(frozen=True)
class Played:
    """The project in which the demos were played, and each demo's output by chapter title."""

    project: Project
    chapters: dict[str, dict[str, str]]

    def alone(self, pipeline: str, folder: Path) -> Project:
        """Return a copy of the project as it would be had only ``pipeline`` run in it."""
        shutil.copytree(self.project.folder, folder)
        for other in set(NAMES) - {pipeline}:
            shutil.rmtree(folder / ".local/lake/landing" / other, ignore_errors=True)
        return Project(folder)


def play(folder: Path, name: str) -> Played:
    """Play the small demo called ``name``, or ``all`` of them, in a new project."""
    project = new_project(folder)
    return Played(project, by_pipeline(project.command("demo", name, "--small").stdout))


def by_pipeline(printed: str) -> dict[str, dict[str, str]]:
    """Return what was printed by pipeline and chapter title; a demo ends with the chapter that says it is done."""
    told: dict[str, dict[str, str]] = {}
    chapters: dict[str, str] = {}
    for part in re.split(r"^▍", printed, flags=re.M)[1:]:
        title, _, rest = part.partition(" · ")
        chapters[title.strip()] = part
        if title == "Done":
            told[rest.split(" · ")[0]] = chapters
            chapters = {}
    return told
