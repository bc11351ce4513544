"""A pipeline of file sources run on a few local files: no warehouse, nothing but a folder.

The declarations, the loading, the gates and the alert rules are those of any run; only the last
step differs: what would be served is read back, so that a notebook can show and write it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from ledgerlake.config.check import check_pipeline
from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_pipeline
from ledgerlake.config.models import Pipeline
from ledgerlake.errors import ConfigError, Where
from ledgerlake.lake import readers
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ops.alert_rules import findings
from ledgerlake.ops.load import open_quarantine
from ledgerlake.ops.progress import Progress
from ledgerlake.ops.run import RunReport, run
from ledgerlake.ports.clock import Clock
from ledgerlake.ports.secrets import Secrets
from ledgerlake.publish.model import Publication, PublishOutcome


@dataclass(frozen=True)
class LocalRun:
    """A run on local files, and where to read what came of it."""

    report: RunReport
    workspace: Workspace

    def table(self, name: str) -> pa.Table:
        """Return the rows of a silver table or of a published mart, in the order of their keys."""
        pipeline = self.workspace.pipeline
        if name not in pipeline.tables:
            rows = readers.read_published(self.workspace, name)
            return rows.sort_by([(k, "ascending") for k in pipeline.mart(name).key])
        table = self.workspace.table(name)
        columns = ", ".join(f'"{n}"' for n in table.column_names)
        rows = self.workspace.storage.rows(self.workspace.paths.silver(name), "NOT _deleted", columns=columns)
        assert rows is not None, "a run that ended well has written every table"
        return rows.sort_by([(k, "ascending") for k in table.key])

    def findings(self) -> list[str]:
        """Return the messages of everything that the alert rules find in what was published, sent now or before."""
        served = readers.served(self.workspace)
        assert served is not None, "a run that ended well has published"
        rules = self.workspace.pipeline.spec.alerts.rules
        return [f.message for rule in rules for f in findings(self.workspace, rule, served)]

    def steps(self, stage: str) -> list[str]:
        """Return what the run said of one of its stages."""
        return [f"{s.subject}: {s.result}" for s in self.report.steps if s.stage == stage]

    def refused(self) -> dict[str, int]:
        """Return how many rows wait in quarantine for each reason."""
        reasons = Counter(reason for row in open_quarantine(self.workspace) for reason in row["reasons"])
        return dict(sorted(reasons.items()))

    def write_csv(self, names: Mapping[str, str], folder: Path) -> list[Path]:
        """Write tables or marts by file name (``{"fct_invoices.csv": "fct_invoices"}``) and return the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        for file, name in names.items():
            arrow_csv.write_csv(self.table(name), folder / file)
        return [folder / file for file in names]


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
            report = run(workspace, day, _accept, Progress())
        if report.error is not None:
            raise report.error
        yield LocalRun(report, workspace)


def _accept(publication: Publication) -> PublishOutcome:
    return PublishOutcome("published", {s.table: s.expected_rows for s in publication.slices})


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
        if table.is_dir():
            shutil.copytree(table, memory, dirs_exist_ok=True)
