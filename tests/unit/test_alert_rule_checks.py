"""Alert rules are proved before Spark starts, and a message shows values and does nothing else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from ledgerlake.config.alerting import AlertRule
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.check_alerts import marts_of, message_fields
from ledgerlake.config.load import load_pipeline
from ledgerlake.errors import ConfigError
from ledgerlake.ops.alert_rules import finding_of, plain_text

PIPELINE = """\
pipeline: bank
sources:
  db: {feed: csv, location: db}
marts:
  - mart: daily
    sql: marts/daily.sql
    key: [day]
    inputs: [{table: sales}]
  - mart: draft
    sql: marts/draft.sql
    key: [day]
    publish: false
    inputs: [{table: sales}]
publication: {database: F, schema: B, bi_schema: I}
alerts:
  webhook: env:HOOK
  rules:
    - alert: much
      sql: alerts/much.sql
      key: [day]
      message: "{day}: {amount}"
"""
FILES = {
    "pipeline.yml": PIPELINE,
    "tables/sales.yml": """\
table: sales
source: db
resource: sales
key: [day]
columns:
  - {name: day, type: date, nullable: false}
  - {name: amount, type: "decimal(18,2)"}
  - {name: owner, type: string, pii: personal}
""",
    "marts/daily.sql": "SELECT day, amount, owner FROM sales",
    "marts/draft.sql": "SELECT day FROM sales",
    "alerts/much.sql": "SELECT day, amount\nFROM daily\nWHERE amount > 5",
}
RULE = AlertRule(alert="much", sql="x.sql", key=("day", "name"), message="{name} on {day}: {amount}, {{so}} {gone}")


def findings(folder: Path, file: str = "", before: str = "", after: str = "") -> list[str]:
    for name, text in FILES.items():
        path = folder / "pipelines" / "bank" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert name != file or before in text
        path.write_text(text.replace(before, after) if name == file else text)
    try:
        return [str(f) for f in check_pipeline(load_pipeline(folder, folder, "bank"))]
    except ConfigError as error:
        return [str(error)]


def test_a_rule_that_fits_has_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        ("pipeline.yml", "key: [day]\n      message", "key: [week]\n      message", "the SQL gives no column ['week']"),
        ("pipeline.yml", "{amount}", "{sum}", "the SQL gives no column ['sum']"),
        (
            "pipeline.yml",
            "{amount}",
            "{amount.real}",
            "the message cannot be read: {amount.real} is more than a column",
        ),
        ("pipeline.yml", "{amount}", "{amount!r}", "the message cannot be read: {amount} is more than a column"),
        ("pipeline.yml", "{amount}", "{amount", "the message cannot be read"),
        ("pipeline.yml", "  webhook: env:HOOK\n", "", "nobody would hear of it"),
        ("pipeline.yml", "webhook: env:HOOK", "webhook: https://hooks", "webhook: Value error, must be a reference"),
        ("pipeline.yml", "alert: much", "alrt: much", "unknown key 'alrt'"),
        ("pipeline.yml", "alerts/much.sql", "alerts/more.sql", "the SQL file does not exist"),
        ("alerts/much.sql", "FROM daily", "FROM draft", "the SQL reads ['draft'], not declared as inputs"),
        ("alerts/much.sql", "FROM daily", "FROM sales", "the SQL reads ['sales'], not declared as inputs"),
        ("alerts/much.sql", "amount > 5", "sum > 5", "the SQL does not fit its inputs"),
        ("alerts/much.sql", "amount\nFROM", "owner AS amount\nFROM", "the SQL reads ['owner'], which the contract"),
        ("alerts/much.sql", "SELECT day, amount", "SELECT *", "the SQL reads ['owner'], which the contract"),
        ("alerts/much.sql", "SELECT", "SELEC", "the SQL"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, file: str, before: str, after: str, complaint: str) -> None:
    [found] = findings(tmp_path, file, before, after)
    assert found.startswith(complaint)
    assert Path(file).name in found or "more.sql" in found


def test_a_message_shows_values_as_text_and_lets_none_of_them_act() -> None:
    row = {"day": date(2026, 3, 2), "name": "<!channel> & {day}", "amount": Decimal("1E+3"), "gone": None}

    finding = finding_of(RULE, row)

    assert finding.message == "&lt;!channel&gt; &amp; {day} on 2026-03-02: 1000, {so} none"
    assert plain_text(finding.message) == "<!channel> & {day} on 2026-03-02: 1000, {so} none"
    assert finding.key == '{"day": "2026-03-02", "name": "<!channel> & {day}"}'


def test_a_template_names_its_columns_and_sql_its_marts() -> None:
    assert message_fields("{a} {{b}} {c}") == {"a", "c"}
    assert marts_of("WITH x AS (SELECT 1 FROM b) SELECT * FROM x JOIN a") == ["a", "b"]
