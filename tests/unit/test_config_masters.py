"""What is wrong with the declaration of a master is found before Spark starts, with file and line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.load import load_pipeline
from ledgerlake.config.personal import personal_columns
from ledgerlake.errors import ConfigError

PIPELINE = """
pipeline: bank
sources:
  db: {feed: dms, location: db, options: {sequence_column: seq}}
masters:
  - master: client
    id_prefix: cl_
    fields:
      - {name: name, type: string, pii: personal}
      - {name: total, type: "decimal(18,2)"}
    match: {mail: {}}
    records:
      - {record: crm, table: crm, since: since, fields: {name: trim(name), total: amount}, keys: {mail: lower(mail)}}
    survivorship:
      name: [non_null, {source: [crm]}, record]
      total: [{aggregate: sum}]
marts:
  - mart: clients
    sql: marts/clients.sql
    key: [client_id]
    inputs: [{table: client_versions}]
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
CRM = """
table: crm
source: db
resource: public/crm
key: [id]
history: {effective: held_from}
columns:
  - {name: id, type: string, nullable: false}
  - {name: mail, type: string}
  - {name: name, type: string}
  - {name: amount, type: "decimal(18,2)"}
  - {name: since, type: timestamp}
  - {name: held_from, type: timestamp, nullable: false}
"""
SQL = "SELECT client_id, name AS full_name, name, total, total_rule FROM client_versions WHERE is_current"


def findings(folder: Path, *replaced: tuple[str, str], table: tuple[str, str] = ("", "")) -> list[str]:
    """Return what is wrong after replacing texts in the declarations, without the folder's name."""
    text = PIPELINE
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new, 1)
    home = folder / "conf" / "pipelines" / "bank"
    for path, body in {"pipeline.yml": text, "tables/crm.yml": CRM.replace(*table), "marts/clients.sql": SQL}.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(dedent(body).lstrip("\n"))
    try:
        found = check_pipeline(load_pipeline(folder / "conf", folder / "suites", "bank"))
    except ConfigError as error:
        found = [error]
    return [str(f).replace(f"{home}/", "") for f in found]


def test_a_master_that_fits_has_nothing_to_mend(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("trim(name)", "trim(nome)", "names unknown columns ['nome'] (pipeline.yml:12)"),
        ("trim(name)", "max(name)", "is not about one row (pipeline.yml:12)"),
        ("trim(name)", "name +", "cannot be parsed (pipeline.yml:12)"),
        ("table: crm,", "table: app,", "unknown table 'app' (pipeline.yml:12)"),
        ("{name: trim(name),", "{nome: name,", "unknown name 'nome' (pipeline.yml:12)"),
        ("keys: {mail:", "keys: {tax:", "unknown name 'tax' (pipeline.yml:12)"),
        ("[non_null, {source: [crm]}, record]", "[non_null]", "must end, and only end, with one that always decides"),
        ("[non_null, {source: [crm]}, record]", "[record, recency]", "must end, and only end"),
        ("{source: [crm]}", "{source: [erp]}", "ranks unknown records ['erp'] (pipeline.yml:14)"),
        ("{source: [crm]}", "newest", "'newest' is no rule of survivorship"),
        ("[non_null, {source: [crm]}, record]", "[{aggregate: sum}]", "'name' is a string and cannot be summed"),
        ("      total: [{aggregate: sum}]\n", "", "no survivorship for field 'total'"),
        ("      total: [{aggregate: sum}]\n", "      total: [record]\n      sum: [record]\n", "unknown field 'sum'"),
        ("name: total,", "name: name_rule,", "two columns of client_versions would be called 'name_rule'"),
        ("- {name: total,", "- {name: name,", "field 'name' is declared twice"),
        ("since: since, ", "since: since, identifies: false, ", "no records identify anything"),
        ("master: client", "master: crm", "unknown input 'client_versions'"),
        ("id_prefix: cl_", "id_prefix: CL", "should match pattern"),
        ("table: client_versions", "table: client_version", "unknown input 'client_version'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert says in "\n".join(findings(tmp_path, (old, new)))


def test_a_table_without_history_cannot_feed_a_master(tmp_path: Path) -> None:
    found = findings(tmp_path, table=("history: {effective: held_from}\n", ""))
    assert "crm keeps no history, from which masters are made" in found[0]


def test_a_history_by_position_needs_the_time_of_a_version(tmp_path: Path) -> None:
    assert "when a version of crm began is not told" in findings(tmp_path, table=("{effective: held_from}", "{}"))[0]
    assert (
        findings(tmp_path, ("since: since,", "since: since, at: held_from,"), table=("{effective: held_from}", "{}"))
        == []
    )


def test_personal_columns_of_a_mart_are_those_called_so_and_those_declared(tmp_path: Path) -> None:
    assert findings(tmp_path, ("    inputs: [{table", "    pii: [full_name]\n    inputs: [{table")) == []
    pipeline = load_pipeline(tmp_path / "conf", tmp_path / "suites", "bank")
    assert personal_columns(pipeline, pipeline.mart("clients")) == {"name": "string", "full_name": "string"}
    assert "`pii` names unknown columns ['nick']" in findings(
        tmp_path, ("    inputs: [{table", "    pii: [nick]\n    inputs: [{table")
    )[0]  # fmt: skip
