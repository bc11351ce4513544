"""What every command needs: which project, which environment, and how to answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ledgerlake.cli.door import Terminal, filled
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.environment import Environment
from ledgerlake.config.load import load_environment, load_pipeline, pipeline_names
from ledgerlake.config.models import Pipeline
from ledgerlake.errors import ConfigError, Where
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ports.clock import Clock, SystemClock
from ledgerlake.ports.secrets import ReferencedSecrets, Secrets


@dataclass
class Context:
    """The command line's own state; ports are made here, and nowhere else."""

    project: Path
    environment_name: str
    as_json: bool = False
    secrets: Secrets = field(default_factory=ReferencedSecrets)
    clock: Clock = field(default_factory=SystemClock)
    console: Terminal = field(default_factory=Terminal)
    errors: Terminal = field(default_factory=lambda: Terminal(stderr=True))

    @property
    def conf(self) -> Path:
        """Return the configuration folder."""
        return self.project / "conf"

    def environment(self) -> Environment:
        """Load the chosen environment."""
        return load_environment(self.conf, self.environment_name)

    def pipeline(self, name: str) -> Pipeline:
        """Load a pipeline and prove it; raise the first finding."""
        pipeline = load_pipeline(self.conf, self.project / "dq_suites", name)
        for finding in check_pipeline(pipeline):
            raise finding
        return pipeline

    def workspace(self, name: str) -> Workspace:
        """Open a pipeline in the chosen environment."""
        return Workspace(
            self.pipeline(name), self.environment(), self.secrets, self.clock, crashes=self.project / ".local" / "errors"
        )  # fmt: skip

    def pipelines(self) -> list[str]:
        """Return the declared pipelines; raise :class:`ConfigError` where there are none."""
        known = pipeline_names(self.conf)
        if not known:
            raise ConfigError(
                "no pipeline is declared here", where=Where(file=str(self.conf / "pipelines")),
                then="go to the project's folder, or name it: ledgerlake --project FOLDER …",
            )  # fmt: skip
        return known

    def only_pipeline(self, name: str | None) -> str:
        """Return ``name``, or the one pipeline there is, or the one that has run in this lake."""
        if name:
            return name
        known = self.pipelines()
        candidates = known if len(known) == 1 else self._pipelines_with_data(known)
        if len(candidates) == 1:
            return candidates[0]
        raise ConfigError("which pipeline?", then=f"add --pipeline with one of {known}")

    def _pipelines_with_data(self, known: list[str]) -> list[str]:
        objects = Workspace(
            load_pipeline(self.conf, self.project / "dq_suites", known[0]), self.environment(), self.secrets, self.clock
        ).objects
        return [n for n in known if any(True for _ in objects.list(f"landing/{n}/"))]

    def say(self, template: str, *, to: Terminal | None = None, **values: object) -> None:
        """Show one line: ``template`` may hold markup, its ``values`` are shown as they are."""
        (to or self.console).print(filled(template, **values), soft_wrap=True)

    def answer(self, facts: Any, show: Callable[[], None]) -> None:
        """Answer as JSON on standard output, or by ``show`` for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(facts, default=plain, indent=1) + "\n")
        else:
            show()


def plain(value: object) -> object:
    """Return ``value`` as JSON can hold it: money as text, times in ISO 8601."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__dataclass_fields__"):
        return {k: v for k, v in vars(value).items() if not k.startswith("_")}
    if isinstance(value, (tuple, set)):
        return list(value)
    return str(value)
