"""The notebooks run from top to bottom on a small lake, and git keeps them without outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest
from house import SOURCES, House, cdc
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

ACCOUNTS = """
table: accounts
source: db
resource: public/accounts
key: [account_id]
columns:
  - {name: account_id, type: string, nullable: false}
  - {name: owner, type: string, pii: personal}
  - {name: currency, type: string, nullable: false}
  - {name: balance, type: "decimal(18,3)", nullable: false, currency: currency}
"""
BALANCES = """
marts:
  - mart: balances
    sql: marts/balances.sql
    key: [currency]
    inputs: [{table: accounts}]
"""
ENVIRONMENT = "environment: local\nlake: unused\nsources: unused\n"


@pytest.fixture
def lake(house: House) -> dict[str, str]:
    """Return the variables that lead a notebook to a lake with two publications."""
    sql = "SELECT currency, CAST(sum(balance) AS DECIMAL(18,3)) AS balance FROM accounts GROUP BY currency"
    house.declare(SOURCES.rstrip() + BALANCES, ACCOUNTS, marts__balances=sql)
    (house.root / "conf" / "environments").mkdir()
    (house.root / "conf" / "environments" / "local.yml").write_text(ENVIRONMENT)
    house.deliver(
        "db/public/accounts/20260301-100000000.csv", cdc("I,a1,Adalgisa,EUR,10.50,001", "I,a2,Bohumil,KWD,1.250,002")
    )
    assert house.run().status == "published"
    house.deliver("db/public/accounts/20260301-110000000.csv", cdc("U,a1,Adalgisa,EUR,12.50,003"))
    assert house.run().status == "published"
    return {
        "LEDGERLAKE_LAKE": str(house.root / "lake"),
        "LEDGERLAKE_CONF": str(house.root / "conf"),
        "LEDGERLAKE_SUITES": str(house.root / "suites"),
        "LEDGERLAKE_PIPELINE": house.name,
    }


def outputs_of(path: Path, variables: dict[str, str]) -> str:
    """Run a notebook in its own kernel and return everything it showed, as text."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(path.parent)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT / "lib"), **variables})
    return "\n".join(json.dumps(cell.get("outputs", [])) for cell in notebook.cells)


def test_delta_history_tells_what_changed_and_hides_personal_columns(lake: dict[str, str]) -> None:
    shown = outputs_of(ROOT / "notebooks" / "delta_history.ipynb", lake)

    assert "balances: v0 (2026-03-01) against v1 (2026-03-01)" in shown
    assert "10.500 \\u2192 12.500" in shown
    assert "{'account_id': 'a1'}" in shown  # the key with the most changes
    assert "image/png" in shown
    # Names long enough not to stand in a picture's base64 by chance.
    assert [name for name in ("Adalgisa", "Bohumil") if name in shown] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_git_keeps_no_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    assert cells
    assert [c for c in cells if c.outputs or c.execution_count] == []
