"""The demo's story, as its user sees it, the questions that can be asked afterwards, and the README's commands.

They ask about the one play of all demos, in a copy of its project in which ledgerbox alone has run, as after `make demo`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from end_to_end.played import Played
from end_to_end.project import ROOT, Project, new_project

Demo = tuple[Project, dict[str, str]]
README = (ROOT / "README.md").read_text()
SQL = "SELECT {} FROM FINANCE.LEDGERBOX_BI.{}"


@pytest.fixture(scope="module")
def demo(demos: Played, open_folder: Path) -> Demo:
    """The project after ledgerbox's demo, and what that printed by chapter."""
    return demos.alone("ledgerbox", open_folder / "ledgerbox"), demos.chapters["ledgerbox"]


def test_a_repeated_day_changes_nothing(demo: Demo) -> None:
    assert "unchanged" in demo[1]["Day 2 again"]


def test_a_bad_delivery_is_blocked_and_the_last_good_day_stays_served(demo: Demo) -> None:
    chapter = demo[1]["Day 3"]
    assert "blocked" in chapter and "rpt_reconciliation" in chapter
    assert "2026-03-03" in chapter and "│       2026-03-04" not in chapter


def test_the_corrected_delivery_is_published_and_balances_to_the_cent(demo: Demo) -> None:
    chapter = demo[1]["Day 3, corrected"]
    assert "published" in chapter and "balanced" in chapter and "2026-03-04" in chapter


def test_one_settlement_is_traced_to_its_source(demo: Demo) -> None:
    chapter = demo[1]["Trace"]
    assert "settlement row ← batch b-" in chapter and "settlements" in chapter


def test_the_report_that_is_named_exists(demo: Demo) -> None:
    path = Path(demo[1]["Done"].split("report: ")[1].splitlines()[0])
    assert path.is_file() and "<svg" in path.read_text()


def test_every_batch_is_accounted_for(demo: Demo) -> None:
    batches = demo[0].ask("status", "--last", "50")["batches"]
    assert len(batches) > 20
    facts = [demo[0].ask("trace", "--batch-id", b["batch_id"])["counts"] for b in batches[:3]]
    assert all(f["read"] == f["applied"] + f["superseded"] + f["duplicate"] + f["quarantined"] for f in facts)


def test_a_new_column_was_added_and_recorded(demo: Demo) -> None:
    rows = demo[0].ask("trace", "--table", "transactions", "--key", "tx_0000000001")
    assert "channel" in rows["current"]


def test_a_publication_leads_to_run_versions_checks_and_batches(demo: Demo) -> None:
    served = demo[0].ask("status")["served"]
    facts = demo[0].ask("trace", "--publication", served)
    assert facts["run_id"] and facts["config_fingerprint"] and facts["delta_versions"]["rpt_reconciliation"] >= 0
    assert all(c["success"] for c in facts["checks"]) and facts["batches"]


def test_malformed_rows_wait_in_quarantine_with_their_reason(demo: Demo) -> None:
    reasons = {r["reason"] for r in demo[0].ask("quarantine", "list")["rows"]}
    assert {"record: unknown Op", "merchant_id: null"} <= reasons
    assert any(re.fullmatch(r"record: [0-9]+ columns where [0-9]+ are declared", reason) for reason in reasons)


def test_snowflake_and_the_lake_hold_the_same_rows(demo: Demo) -> None:
    counted = demo[0].ask("sql", SQL.format("count(*) AS N", "FCT_TRANSACTIONS"))
    traced = demo[0].ask("trace", "--publication", demo[0].ask("status")["served"])
    assert counted[0]["N"] >= traced["rows_published"]["fct_transactions"] > 0


def test_silver_equals_its_rebuild_from_bronze(demo: Demo) -> None:
    found = demo[0].ask("verify", "transactions")
    assert found["equal"] and found["live_rows"] > 100


def test_writing_sql_is_refused(demo: Demo) -> None:
    done = demo[0].command("sql", "DROP TABLE FINANCE.LEDGERBOX.FCT_REFUNDS", expect=2)
    assert "Error" in done.stderr


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


ASKING = [
    line.removeprefix(".venv/bin/ledgerlake ")
    for block in blocks("bash")
    for line in block.splitlines()
    if line.startswith(".venv/bin/ledgerlake ")
]


@pytest.mark.parametrize("line", ASKING)
def test_what_the_readme_asks_after_the_demo_is_answered(demo: Demo, line: str) -> None:
    assert demo[0].command(*shlex.split(line, comments=True)).stdout.strip()


def test_the_readme_s_first_pipeline_is_valid_as_it_stands(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    files = re.findall(r"`(conf/pipelines/shop/[^`]+)`:\n\n```\w+\n(.*?)```", README, flags=re.S)
    assert len(files) == 3
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert "nothing to mend" in project.command("validate", "shop").stdout


def test_the_readme_s_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
