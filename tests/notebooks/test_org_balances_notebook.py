"""The notebook org_balances: two CSV files in, four out, findings told once, and clear errors for wrong paths."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import nbformat
import pytest
from house import NOON
from ledgerlake.demo.chat_server import Chat, running_chat
from ledgerlake.errors import ConfigError
from ledgerlake.ops.local_files import path_from, run_on_files
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.secrets import ReferencedSecrets
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
ORGANIZATIONS = """\
organization_id,name,country_code,currency,created_at
o1,Acorn <Foods>,DE,EUR,2025-01-01T00:00:00Z
o2,Birch Labs,US,USD,2025-01-01T00:00:00Z
"""
INVOICES = """\
invoice_id,organization_id,invoice_date,currency,amount,payment_amount,payment_date,status,updated_at
i1,o1,2026-03-01,EUR,100.00,0,,open,2026-03-01T10:00:00Z
i2,o1,2026-03-02,EUR,60.00,0,,open,2026-03-02T10:00:00Z
i3,o2,2026-03-01,USD,500.00,0,,open,2026-03-01T10:00:00Z
i4,o2,2026-03-02,USD,250.00,0,,open,2026-03-02T10:00:00Z
i5,o2,2026-03-02,USD,-9.00,0,,open,2026-03-02T10:00:00Z
"""


@pytest.fixture
def chat() -> Iterator[Chat]:
    with running_chat() as running:
        yield running


def outputs_of(variables: dict[str, str]) -> str:
    """Run the notebook in its own kernel and return everything it showed."""
    path = ROOT / "notebooks" / "org_balances.ipynb"
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(path.parent)}})
    kept = {k: v for k, v in os.environ.items() if k not in ("INVOICES_CSV", "ORGS_CSV", "SLACK_WEBHOOK_URL")}
    tools = os.environ.get("LEDGERLAKE_TOOLS", str(ROOT / ".tools"))
    client.execute(env={**kept, "PYTHONPATH": str(ROOT / "lib"), "LEDGERLAKE_TOOLS": tools, **variables})
    return "\n".join(json.dumps(cell.get("outputs", [])) for cell in notebook.cells)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "invoices.csv").write_text(INVOICES)
    (tmp_path / "orgs.csv").write_text(ORGANIZATIONS)
    return {
        "INVOICES_CSV": str(tmp_path / "invoices.csv"),
        "ORGS_CSV": str(tmp_path / "orgs.csv"),
        "OUTPUT_FOLDER": str(tmp_path / "out"),
    }


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_two_files_become_four_with_findings_a_chart_and_one_message(
    inputs: dict[str, str], tmp_path: Path, chat: Chat, spark: SparkSession
) -> None:
    shown = outputs_of({**inputs, "SLACK_WEBHOOK_URL": chat.url})

    assert "quarantined: 1 \\u00d7 amount: below 0" in shown
    assert re.search(r"\(o1\): balance grew by 60.0% on 2026-03-02, from 100.00 to 160.00 EUR", shown)
    assert "(o2): balance" not in shown  # exactly one half is not above it
    assert "image/png" in shown
    [post] = chat.posts
    assert (post.channel, post.text.split(":")[0]) == ("#balance-change-alert", "Acorn <Foods> (o1)")

    out = tmp_path / "out"
    assert [r["invoice_id"] for r in rows_of(out / "stg_invoices.csv")] == ["i1", "i2", "i3", "i4"]
    assert [r["organization_id"] for r in rows_of(out / "stg_organizations.csv")] == ["o1", "o2"]
    facts = rows_of(out / "fct_invoices.csv")
    assert [(r["invoice_id"], r["organization_name"], r["balance_amount"]) for r in facts] == [
        ("i1", "Acorn <Foods>", "100.000"),
        ("i2", "Acorn <Foods>", "60.000"),
        ("i3", "Birch Labs", "500.000"),
        ("i4", "Birch Labs", "250.000"),
    ]
    organizations = rows_of(out / "dim_organizations.csv")
    assert [(r["total_invoices"], r["total_payments"], r["total_amount"]) for r in organizations] == [
        ("2", "0", "160.000"),
        ("2", "0", "750.000"),
    ]

    with run_on_files(
        ROOT, "org_balances", files_of(inputs), date(2026, 3, 3), memory=out,
        secrets=ReferencedSecrets({"SLACK_WEBHOOK_URL": chat.url}), clock=FixedClock(NOON),
    ) as again:  # fmt: skip
        assert [f.split(" ")[:2] for f in again.findings()] == [["Acorn", "<Foods>"]]  # found again, told no more
    assert len(chat.posts) == 1


def files_of(inputs: dict[str, str]) -> dict[str, Path]:
    return {"stg_invoices": path_from(inputs, "INVOICES_CSV"), "stg_organizations": path_from(inputs, "ORGS_CSV")}


def test_a_path_that_is_missing_is_an_error_that_names_it(inputs: dict[str, str]) -> None:
    with pytest.raises(CellExecutionError, match="the environment variable INVOICES_CSV is not set"):
        outputs_of({k: v for k, v in inputs.items() if k != "INVOICES_CSV"})
    with pytest.raises(ConfigError, match="the environment variable ORGS_CSV is not set"):
        files_of({k: v for k, v in inputs.items() if k != "ORGS_CSV"})


def test_a_path_that_leads_nowhere_is_an_error_that_names_it(inputs: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ORGS_CSV names a file that does not exist"):
        files_of({**inputs, "ORGS_CSV": str(tmp_path / "gone.csv")})


def test_every_table_needs_its_file(inputs: dict[str, str], tmp_path: Path) -> None:
    files = {"stg_invoices": path_from(inputs, "INVOICES_CSV")}
    with (
        pytest.raises(ConfigError, match="give one for each of"),
        run_on_files(
            ROOT, "org_balances", files, date(2026, 3, 3), memory=tmp_path,
            secrets=ReferencedSecrets({}), clock=FixedClock(NOON),
        ),
    ):  # fmt: skip
        pass
