"""A wrong declaration ends ``validate`` and ``run`` with its file and line, before anything is started."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from project import Project, new_project
from test_kill import shop

NOWHERE = {"LEDGERLAKE_TOOLS": "/nonexistent"}  # whoever tries to start Spark ends with another exit code
SUITE = """\
{
  "name": "orders",
  "expectations": [
    {
      "type": "expect_column_values_to_not_be_null",
      "kwargs": {"column": "ordr_id"},
      "meta": {"ledgerlake": {"on_fail": "quarantine", "why": "every order has an id"}}
    }
  ],
  "meta": {}
}
"""


@dataclass(frozen=True)
class Mistake:
    """An edit of the orders table's declaration, and what must be said of it."""

    before: str
    after: str
    says: tuple[str, ...]


MISTAKES = {
    "typo": Mistake("resource:", "resorce:", ("orders.yml:3", "unknown key 'resorce'", "did you mean 'resource'?")),
    "missing suite": Mistake(
        "table: orders\n",
        "table: orders\nsuite: lost\n",
        ("orders.yml:2", "the suite 'lost' does not exist", "lost.json"),
    ),
    "unknown column": Mistake("table: orders\n", "table: orders\nsuite: orders\n", ("orders.json:4", "'ordr_id'")),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_declaration_is_named_with_its_place_and_nothing_is_started(tmp_path: Path, mistake: Mistake) -> None:
    project = Project(shop(tmp_path).folder, NOWHERE)
    declared = tmp_path / "conf/pipelines/shop/tables/orders.yml"
    text = declared.read_text()
    assert mistake.before in text
    declared.write_text(text.replace(mistake.before, mistake.after, 1))
    (tmp_path / "dq_suites/shop").mkdir()
    (tmp_path / "dq_suites/shop/orders.json").write_text(SUITE)

    validated = project.command("validate", "shop", expect=2)
    ran = project.command("run", "shop", "--date", "2026-03-02", expect=2)

    for words in mistake.says:
        assert words in validated.stdout
        assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert sorted(p.name for p in (tmp_path / ".local").iterdir()) == ["sources"]
    assert json.loads(project.command("--json", "validate", "shop", expect=2).stdout) != []


def test_a_project_without_mistakes_is_valid_without_spark(tmp_path: Path) -> None:
    project = Project(new_project(tmp_path).folder, NOWHERE)
    assert "nothing to mend" in project.command("validate").stdout
