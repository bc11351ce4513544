"""A project as a user has it, and commands typed as a user types them: new processes, no shortcuts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Project:
    """A copy of the declarations in a folder of its own, and the command line on it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``ledgerlake`` and check its exit code."""
        command = [sys.executable, "-m", "ledgerlake", "--project", str(self.folder), *arguments]
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "lib"),
            "LEDGERLAKE_TOOLS": str(ROOT / ".tools"),
            "COLUMNS": "200",
            **self.environment,
        }
        done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=1800, check=False)
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def ask(self, *arguments: str) -> Any:
        """Run a command with ``--json`` and read its answer."""
        return json.loads(self.command("--json", *arguments).stdout)


def new_project(folder: Path) -> Project:
    """Return a project with this repository's declarations."""
    for name in ("conf", "dq_suites"):
        shutil.copytree(ROOT / name, folder / name)
    return Project(folder)
