"""Configuration is proved before Spark starts: each mistake is named with file, line and fix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from ledgerlake.config.check import check_pipeline, table_graph
from ledgerlake.config.load import load_environment, load_pipeline, pipeline_names
from ledgerlake.config.mart_sql import mart_graph
from ledgerlake.config.models import Pipeline
from ledgerlake.errors import ConfigError

PIPELINE = """\
pipeline: bank
sources:
  db:
    feed: dms
    location: db
marts:
  - mart: daily
    sql: marts/daily.sql
    key: [day]
    partition_by: day
    inputs:
      - {table: sales, partition: day}
publication: {database: F, schema: B, bi_schema: I}
"""
SHOPS = """\
table: shops
source: db
resource: public/shops
key: [shop_id]
columns:
  - {name: shop_id, type: string, nullable: false}
"""
SALES = """\
table: sales
source: db
resource: public/sales
key: [sale_id]
columns:
  - {name: sale_id, type: string, nullable: false}
  - {name: shop_id, type: string, references: {table: shops, column: shop_id}}
  - {name: day, type: date}
  - {name: amount, type: "decimal(18,2)"}
"""
SQL = "SELECT day,\n  sum(amount) AS amount\nFROM sales\nGROUP BY day\n"
FILES = {"pipeline.yml": PIPELINE, "tables/shops.yml": SHOPS, "tables/sales.yml": SALES, "marts/daily.sql": SQL}


@dataclass(frozen=True)
class Mistake:
    """One edit of one file, and the start of the only complaint it may cause."""

    file: str
    before: str
    after: str
    line: int
    says: str
    fix: str

    def __str__(self) -> str:
        return self.says


MISTAKES = [
    Mistake("tables/sales.yml", "resource:", "resorce:", 3, "unknown key 'resorce'", "did you mean 'resource'?"),
    Mistake("tables/sales.yml", "type: date}", "type: date, nulable: true}", 8, "unknown key 'nulable'", "did you mean 'nullable'?"),
    Mistake("tables/sales.yml", "source: db\n", "source: db\nsource: db\n", 3, "the key 'source' stands twice", "keep one of them"),
    Mistake("tables/sales.yml", "key: [sale_id]\n", "", 1, "the key 'key' is missing", "add `key: …`"),
    Mistake("tables/sales.yml", "type: date}", "type: float}", 8, "type: Value error, 'float' is not a column type", ""),
    Mistake("tables/sales.yml", "table: sales", "table: sale", 1, "the file declares table 'sale'", "name the file sale.yml"),
    Mistake("tables/sales.yml", "key: [sale_id]", "key: [sale]", 4, "the key 'sale' is not a column", "declare it, or use one of"),
    Mistake("tables/sales.yml", "name: day,", "name: shop_id,", 8, "column 'shop_id' is declared twice", "remove one"),
    Mistake("tables/sales.yml", "table: shops,", "table: shop,", 7, "references the unknown table 'shop'", "use one of ['sales', 'shops']"),
    Mistake("tables/sales.yml", "source: db", "source: dbx", 2, "unknown source 'dbx'", "use one of ['db']"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", currency: code}', 9, "the currency column 'code' is not declared", "declare it"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", unit: minor}', 9, "minor units need `currency:`", "add `currency: <column>`"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", max: "1,000"}', 9, "`max: 1,000` is no decimal(18,2): not a decimal(18,2)", "write it as a value"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", min: "0.001"}', 9, "`min: 0.001` is no decimal(18,2): more decimals than decimal(18,2)", "write it as a value"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", allowed: ["1", "x"]}', 9, "`allowed: x` is no decimal(18,2)", "write it as a value"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", min: "5", max: "1"}', 9, "`min` is above `max`: no value fits", "exchange them"),
    Mistake("tables/sales.yml", '(18,2)"}', '(18,2)", pattern: "^1"}', 9, "`pattern` belongs to strings", "use `min`, `max` or `allowed`"),
    Mistake("tables/sales.yml", "type: date}", 'type: date, min: "2026-13-01"}', 8, "`min: 2026-13-01` is no date: no such day", "write it as a value"),
    Mistake("tables/sales.yml", "type: date}", "type: date, format: epoch_seconds}", 8, "`format` belongs to timestamps", "remove it"),
    Mistake("tables/sales.yml", "type: date}", "type: date, zone: Europe/Berlin}", 8, "`zone` belongs to timestamps", "remove it"),
    Mistake("tables/sales.yml", "type: date}", "type: timestamp, zone: CET}", 8, "unknown zone 'CET'", "name a place"),
    Mistake("tables/sales.yml", "type: date}", "type: timestamp, zone: Europe/Berlin, format: epoch_millis}", 8, "`zone` and `finer` are of texts: an epoch counts in UTC", "remove them"),
    Mistake("tables/sales.yml", "type: date}", 'type: boolean, max: "true"}', 8, "a boolean has no bounds", "use `allowed`"),
    Mistake("tables/sales.yml", "name: shop_id, type: string", "name: shop_id, type: integer", 7, "a integer references a string: '007' and 7 would be one key", "declare both of one type"),
    Mistake("tables/sales.yml", "name: shop_id, type: string", "name: shop_id, pattern: '[a-', type: string", 7, "`pattern` is no regular expression", "write one"),
    Mistake("tables/sales.yml", "name: shop_id, type: string", "name: shop_id, pattern: '(?P<x>a)', type: string", 7, "`pattern` is no regular expression: '(?P' is read otherwise by Java", "write one"),
    Mistake("tables/sales.yml", "name: shop_id, type: string", "name: shop_id, pattern: 'a{,3}', type: string", 7, "`pattern` is no regular expression: '{,' is read otherwise by Java", "write one"),
    Mistake("tables/sales.yml", "name: sale_id, type: string, nullable: false", "name: sale_id, type: string", 6, "the key column 'sale_id' must not be nullable", "add"),
    Mistake("tables/sales.yml", "resource: public/sales", "resource: public/sales\nsuite: sales", 4, "the suite 'sales' does not exist", "or remove `suite:`"),
    Mistake("tables/sales.yml", "resource: public/sales", "resource: public/sales\nfeed: {column_ordr: [a]}", 4, "feed option 'column_ordr'", "see docs/feeds/dms.md"),
    Mistake("tables/shops.yml", "columns:", "columns: [", 6, "not YAML", "fix the syntax"),
    Mistake("pipeline.yml", "location: db", "location: db\n    options: {formt: csv}", 6, "feed option 'formt'", "see docs/feeds/dms.md"),
    Mistake("pipeline.yml", "feed: dms", "feed: dmz", 4, "unknown feed 'dmz'", "use one of ['csv', 'debezium', 'dms'"),
    Mistake("pipeline.yml", "{table: sales,", "{table: sale,", 12, "unknown input 'sale'", "declare it"),
    Mistake("pipeline.yml", "{table: sales,", "{mart: daily,", 6, "the inputs of marts form a cycle", "break it"),
    Mistake("pipeline.yml", "partition: day}", "partition: dag}", 12, "the partition expression names unknown columns ['dag']", "did you mean day?"),
    Mistake("pipeline.yml", "partition: day}", "partition: 'to_date(day'}", 12, "the partition expression cannot be parsed", "Expecting )"),
    Mistake("pipeline.yml", "    partition_by: day\n", "", 11, "a partition expression on a mart without `partition_by`", "remove it"),
    Mistake("pipeline.yml", "key: [day]", "key: [date]", 9, "the SQL gives no column ['date']", "it gives ['day', 'amount']"),
    Mistake("pipeline.yml", "marts/daily.sql", "marts/dayly.sql", 0, "the SQL file does not exist", "create it"),
    Mistake("pipeline.yml", "publication:", "alerts: {webhook: 'https://chat.example.com/T0K3N'}\npublication:", 13, "webhook: Value error, must be a reference", ""),
    Mistake("pipeline.yml", "publication:", "charts: [{mart: dayly, title: t, x: day, y: amount}]\npublication:", 13, "the chart shows 'dayly'", "choose one of ['daily']"),
    Mistake("pipeline.yml", "publication:", "charts: [{mart: daily, title: t, x: day, y: sum}]\npublication:", 13, "daily has no column ['sum']", "it has ['amount', 'day']"),
    Mistake("marts/daily.sql", "sum(amount)", "sum(amont)", 2, "the SQL does not fit its inputs", "did you mean amount?"),
    Mistake("marts/daily.sql", "FROM sales", "FROM sales JOIN shops USING (shop_id)", 3, "the SQL reads ['shops'], not declared as inputs", "add them under `inputs:`"),
    Mistake("marts/daily.sql", "GROUP BY day", "GROUP BY (day", 4, "the SQL cannot be parsed", ""),
]  # fmt: skip


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        target = root / "pipelines" / "bank" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return root


def load(root: Path) -> Pipeline:
    return load_pipeline(root, root / "suites", "bank")


def complaints(root: Path) -> list[ConfigError]:
    try:
        return check_pipeline(load(root))
    except ConfigError as error:
        return [error]


def test_what_is_declared_well_has_no_findings(tmp_path: Path) -> None:
    assert complaints(write(tmp_path, FILES)) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_named_with_its_file_line_and_fix(tmp_path: Path, mistake: Mistake) -> None:
    assert mistake.before in FILES[mistake.file], "the case must change something"
    broken = FILES | {mistake.file: FILES[mistake.file].replace(mistake.before, mistake.after, 1)}

    [error] = complaints(write(tmp_path, broken))

    assert error.what.startswith(mistake.says)
    assert mistake.fix in error.then
    if mistake.line:
        assert (error.where.file, error.where.line) == (
            str(tmp_path / "pipelines" / "bank" / mistake.file),
            mistake.line,
        )


def test_a_project_s_own_currencies_are_codes_with_their_decimals(tmp_path: Path) -> None:
    (tmp_path / "currencies.yml").write_text("GGP: 2\nQQQ: two\n")

    [error] = complaints(write(tmp_path, FILES))

    assert (error.what, error.where.line) == ("'QQQ' is no currency with its decimals", 2)


def test_every_finding_is_reported_not_only_the_first(tmp_path: Path) -> None:
    broken = FILES | {
        "tables/sales.yml": SALES.replace("source: db", "source: dbx").replace("key: [sale_id]", "key: [sale]")
    }

    found = [e.what for e in complaints(write(tmp_path, broken))]

    assert found == ["the key 'sale' is not a column", "unknown source 'dbx'"]


def test_tables_follow_their_parents_and_marts_their_inputs(tmp_path: Path) -> None:
    pipeline = load(write(tmp_path, FILES))

    assert table_graph(pipeline) == {"shops": set(), "sales": {"shops"}}
    assert mart_graph(pipeline) == {"daily": set()}


def test_a_cycle_of_references_is_named_where_a_table_closes_it(tmp_path: Path) -> None:
    closing = SHOPS.replace("nullable: false}", "nullable: false, references: {table: sales, column: sale_id}}")

    [error] = complaints(write(tmp_path, FILES | {"tables/shops.yml": closing}))

    assert error.what.startswith("the references of tables form a cycle: ")
    assert (Path(error.where.file or "").name, error.where.line) in (("shops.yml", 6), ("sales.yml", 7))


def test_an_unknown_pipeline_or_environment_lists_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "local.yml").write_text("environment: local\nlake: a\nsources: b\n")

    with pytest.raises(ConfigError, match=r"no pipeline 'bnk'.*use one of \['bank'\]"):
        load_pipeline(tmp_path, tmp_path, "bnk")
    with pytest.raises(ConfigError, match=r"no environment 'prod'.*use one of \['local'\]"):
        load_environment(tmp_path, "prod")
    assert pipeline_names(tmp_path) == ["bank"]


def test_the_fingerprint_follows_the_meaning_not_the_layout(tmp_path: Path) -> None:
    meant = load(write(tmp_path / "one", FILES)).fingerprint
    spread = FILES | {
        "tables/shops.yml": SHOPS.replace(
            "{name: shop_id, type: string, nullable: false}", "name: shop_id\n    type: string\n    nullable: false"
        )
    }
    narrower = FILES | {"tables/sales.yml": SALES.replace("(18,2)", "(17,2)")}

    assert load(write(tmp_path / "two", spread)).fingerprint == meant
    assert load(write(tmp_path / "three", narrower)).fingerprint != meant


def test_the_shipped_pipeline_and_environments_are_sound() -> None:
    root = Path(__file__).resolve().parents[2]

    for name in pipeline_names(root / "conf"):
        assert check_pipeline(load_pipeline(root / "conf", root / "dq_suites", name)) == []
    for file in (root / "conf" / "environments").glob("*.yml"):
        assert load_environment(root / "conf", file.stem).environment == file.stem
