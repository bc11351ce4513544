"""Choosing a Java: programs that answer as Java does stand in for installations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ledgerlake.setup.java import Java, best_java, parse_properties, probe, recorded_java

Installed = Callable[..., Path]
ANSWER = """Property settings:
    java.home = {home}
    java.specification.version = {version}
    java.vm.specification.version = {version}

openjdk version "{version}"
"""


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Return a maker of programs that answer as the Java of a given version."""

    def make(version: str, exit_code: int = 0) -> Path:
        command = tmp_path / version / "bin" / "java"
        command.parent.mkdir(parents=True)
        answer = ANSWER.format(home=tmp_path / version, version=version)
        command.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{answer}END\nexit {exit_code}\n")
        command.chmod(0o755)
        return command

    return make


@pytest.mark.parametrize(("version", "feature"), [("1.8", 8), ("11", 11), ("17", 17), ("21", 21)])
def test_versions_old_and_new_are_read(version: str, feature: int) -> None:
    assert parse_properties(ANSWER.format(home="/opt/a java", version=version)) == Java(Path("/opt/a java"), feature)


def test_17_is_preferred_wherever_it_stands(installed: Installed) -> None:
    found = best_java(iter([installed("1.8"), installed("11"), installed("17")]))

    assert found is not None
    assert found.version == 17


def test_a_java_that_spark_does_not_run_on_is_passed_over(installed: Installed) -> None:
    assert best_java(iter([installed("21")])) is None
    assert best_java(iter([])) is None


def test_a_program_that_fails_is_no_java(installed: Installed, tmp_path: Path) -> None:
    assert probe(installed("17", exit_code=1)) is None
    assert probe(tmp_path / "nothing") is None


def test_a_recorded_java_is_kept_while_it_runs(installed: Installed, tmp_path: Path) -> None:
    command = installed("11")
    (tmp_path / "java_home").write_text(f"{command.parent.parent}\n")

    assert recorded_java(tmp_path) == Java(tmp_path / "11", 11)
    command.unlink()
    assert recorded_java(tmp_path) is None
