"""``ledgerlake grants`` writes what an administrator must run, from the declaration alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ledgerlake.cli.main import main

ROOT = Path(__file__).parents[2]


def project(folder: Path, **publication: str) -> list[str]:
    """Copy this repository's declarations, add to ``publication``, and return the command's arguments."""
    for name in ("conf", "dq_suites"):
        shutil.copytree(ROOT / name, folder / name)
    file = folder / "conf/pipelines/ledgerbox/pipeline.yml"
    added = "".join(f"  {key}: {value}\n" for key, value in publication.items())
    file.write_text(file.read_text().replace("publication:\n", f"publication:\n{added}"))
    return ["--project", str(folder), "grants", "--pipeline", "ledgerbox"]


def test_the_declared_role_may_use_the_schema_and_read_each_view(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(project(tmp_path, bi_role="analyst"))

    said = capsys.readouterr().out.splitlines()
    assert not ended.value.code
    assert all(line.endswith('TO ROLE "ANALYST";') for line in said)
    assert [line.split(" ON ")[0] for line in said[:3]] == ["GRANT USAGE", "GRANT USAGE", "GRANT SELECT"]
    assert any('"DIM_MERCHANTS"' in line for line in said)


def test_without_a_role_there_is_nothing_to_grant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(project(tmp_path))

    assert ended.value.code == 2
    assert "add `bi_role:` under `publication:`" in " ".join(capsys.readouterr().err.split())
