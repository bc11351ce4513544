"""A pipeline of file sources run on a few local files: no warehouse, nothing but a folder.

The declarations, the loading, the gates and the alert rules are those of any run; only the last
step differs: what would be served is read back, so that a notebook can show and write it.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ledgerlake.config.check import check_pipeline
from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_pipeline
from ledgerlake.config.models import Pipeline
from ledgerlake.errors import ConfigError, Where
from ledgerlake.lake import readers
from ledgerlake.lake.quarantine import kind_of
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.alert_rules import findings, plain_text
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ops.untaken import open_quarantine
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.secrets import Secrets
from ledgerlake.publish.nowhere import Nowhere


@dataclass(frozen=True)
class LocalRun:
    """A run on local files, and where to read what came of it."""

    report: RunReport
    workspace: Workspace

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a silver table or of a published mart, in the order of their keys."""
        pipeline, workspace = self.workspace.pipeline, self.workspace
        if name not in pipeline.tables:
            found, key = readers.read_published(workspace, name), pipeline.mart(name).key
        else:
            table = workspace.table(name)
            columns, key = ", ".join(f'"{n}"' for n in table.column_names), table.key
            silver = workspace.storage.rows(workspace.paths.silver(name), "NOT _deleted", columns=columns)
            assert silver is not None, "a run that ended well has written every table"
            found = silver
        return sorted(found.to_pylist(), key=lambda row: [row[k] for k in key])

    def findings(self) -> list[str]:
        """Return the messages of everything that the alert rules find in what was published, sent now or before."""
        served = readers.served(self.workspace)
        assert served is not None, "a run that ended well has published"
        rules = self.workspace.pipeline.spec.alerts.rules
        return [plain_text(f.message) for rule in rules for f in findings(self.workspace, rule, served)]

    def steps(self, stage: str) -> list[str]:
        """Return what the run said of one of its stages."""
        return [f"{s.subject}: {s.result}" for s in self.report.steps if s.stage == stage]

    def refused(self) -> dict[str, int]:
        """Return how many rows wait in quarantine for each reason."""
        reasons = Counter(kind_of(reason) for row in open_quarantine(self.workspace) for reason in row["reasons"])
        return dict(sorted(reasons.items()))

    def write_csv(self, names: Mapping[str, str], folder: Path) -> dict[Path, int]:
        """Write tables or marts by file name (``{"facts.csv": "facts"}``); return the rows of each file."""
        folder.mkdir(parents=True, exist_ok=True)
        return {folder / file: _write(self.rows(name), folder / file) for file, name in names.items()}


def _write(rows: list[dict[str, Any]], path: Path) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0] if rows else [])
        writer.writerows([_text(value) for value in row.values()] for row in rows)
    return len(rows)


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value  # moments too; None is written as nothing


def path_from(variables: Mapping[str, str], name: str) -> Path:
    """Return the file that an environment variable names; ConfigError where it names none."""
    given = variables.get(name, "").strip()
    if not given:
        raise ConfigError(f"the environment variable {name} is not set", then=f"export {name}=<path of a CSV file>")
    path = Path(given)
    if not path.is_file():
        raise ConfigError(f"{name} names a file that does not exist", where=Where(file=given), then="check the path")
    return path


@contextmanager
def run_on_files(
    project: Path, pipeline: str, files: Mapping[str, Path], day: date, *, memory: Path, secrets: Secrets, clock: Clock
) -> Iterator[LocalRun]:
    """Run a pipeline of a project on ``files`` (by table) in a lake that is gone when the block ends.

    ``memory`` is a folder that outlives the run: it remembers which alerts were sent, so that
    nobody is told twice. Raises the run's own error where it was blocked or failed.
    """
    declared = load_pipeline(project / "conf", project / "dq_suites", pipeline)
    for finding in check_pipeline(declared):
        raise finding
    with tempfile.TemporaryDirectory(prefix="ledgerlake-files-") as name:
        root = Path(name)
        _deliver(declared, files, root / "sources", day)
        environment = Environment(environment="files", lake=str(root / "lake"), sources=str(root / "sources"))
        workspace = Workspace(declared, environment, secrets, clock)
        with _remembered(memory / "alerts", Path(workspace.paths.control("alerts"))):
            report = run(workspace, day, Nowhere(), Progress())
        if report.error is not None:
            raise report.error
        yield LocalRun(report, workspace)


def _deliver(pipeline: Pipeline, files: Mapping[str, Path], sources: Path, day: date) -> None:
    """Put each table's file where its source would write it."""
    if set(files) != set(pipeline.tables):
        raise ConfigError(
            f"files are given for {sorted(files)}", then=f"give one for each of {sorted(pipeline.tables)}"
        )
    for name, path in files.items():
        table = pipeline.tables[name]
        source = pipeline.spec.sources[table.source]
        if source.location is None:
            raise ConfigError("the source delivers no files", where=Where(table=name), then="run the pipeline itself")
        target = sources / source.location / table.resource / f"{day.isoformat()}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


@contextmanager
def _remembered(memory: Path, table: Path) -> Iterator[None]:
    """Bring a table's folder from ``memory`` and take it back there, whatever becomes of the block."""
    if memory.is_dir():
        shutil.copytree(memory, table)
    try:
        yield
    finally:
        if table.is_dir():  # copied aside first: half a table could never be read again
            aside = memory.with_name(f".{memory.name}.part")
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(table, aside)
            shutil.rmtree(memory, ignore_errors=True)
            aside.rename(memory)
