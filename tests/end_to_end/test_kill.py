"""A run is killed at every stage, the hard way, and the next one goes on as if nothing had been."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from project import ROOT, Project, new_project

DAY = ("run", "shop", "--date", "2026-03-02")
HEADER = "Op,order_id,currency,amount,created_at,change_seq\n"


def shop(folder: Path) -> Project:
    """Return the README's first pipeline with one delivered file of 300 changes to 100 orders."""
    project = new_project(folder)
    readme = (ROOT / "README.md").read_text()
    for name, text in re.findall(r"`(conf/pipelines/shop/[^`]+)`:\n\n```\w+\n(.*?)```", readme, flags=re.S):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    lines = [f"{'I' if n < 100 else 'U'},o_{n % 100:03d},USD,{n}.25,2026-03-02 08:00:00,{n:035d}\n" for n in range(300)]
    target = folder / ".local/sources/orders_db/public/orders/20260302-090000000.csv"
    target.parent.mkdir(parents=True)
    target.write_text(HEADER + "".join(lines))
    return project


def killed_after(project: Project, step: str) -> None:
    """Run the day and kill the process group as soon as ``step`` is reported as finished."""
    command = [sys.executable, "-m", "ledgerlake", "--project", str(project.folder), *DAY]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "LEDGERLAKE_TOOLS": str(ROOT / ".tools")}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=variables, start_new_session=True
    )
    assert process.stderr is not None
    reached = any(line.split()[:1] == [step] for line in process.stderr)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert reached, f"the run ended before {step}"


def test_a_run_that_was_killed_at_every_stage_ends_as_if_it_never_had_been(tmp_path: Path) -> None:
    project = shop(tmp_path)
    for step in ("extract", "load", "mart"):
        killed_after(project, step)
    assert project.ask(*DAY)["status"] == "published"
    batches = project.ask("status", "--pipeline", "shop")["batches"]
    assert [(b["read"], b["applied"], b["quarantined"]) for b in batches] == [(300, 100, 0)]
    rows = project.ask(
        "sql", "SELECT count(*) AS N, sum(CAST(amount AS NUMBER(38,2))) AS TOTAL FROM FINANCE.SHOP_BI.FCT_ORDERS"
    )
    assert (rows[0]["N"], rows[0]["TOTAL"]) == (100, "24975.00")
    assert project.ask("verify", "orders", "--pipeline", "shop")["equal"]
