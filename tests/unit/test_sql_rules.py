"""Declared SQL is one repeatable SELECT over declared inputs: everything else is named before Spark starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgerlake.config.sql_functions import REFUSED, spark_functions
from ledgerlake.config.sql_rules import expression, select
from ledgerlake.config.sql_types import UNKNOWN, family_of
from ledgerlake.errors import ConfigError, Where
from pyspark.sql import SparkSession
from test_config_errors import FILES, complaints, write

HERE = Where(file="pipeline.yml", line=7)

REFUSALS = {
    "chance": ("rand()", "randn(1)", "random()", "uuid()", "shuffle(array(1))", "RAND ( )", "`rand`()", "aes_encrypt(a, b)"),
    "clocks": ("now()", "current_date()", "current_date", "CURRENT_TIMESTAMP", "curdate()", "localtimestamp()",
               "unix_timestamp()", "DATE 'today'", "TIMESTAMP 'now'", "DATE 'Tomorrow'"),
    "the session": ("current_user()", "current_user", "user()", "session_user", "version()", "current_database()",
                    "current_schema()", "current_catalog()", "current_timezone()"),
    "the machine": ("reflect('java.lang.System', 'getenv', 'PATH')", "java_method('a', 'b')", "`reflect`('a', 'b')",
                    "system.builtin.reflect('a', 'b')", "'${env:AWS_SECRET_ACCESS_KEY}'", "identifier('rand')()"),
    "files": ("input_file_name()", "monotonically_increasing_id()", "spark_partition_id()", "input_file_block_start()"),
    "what Spark does not have": ("trnc(a)", "iff(a, b, c)", "safe_divide(a, b)", "no_such(a)", "generate_uuid()",
                                 "dateadds(a)", "to_variant(a)"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "call"), [(k, c) for k, calls in REFUSALS.items() for c in calls])
def test_functions_whose_answer_is_not_the_datas_are_refused(kind: str, call: str) -> None:
    with pytest.raises(ConfigError) as in_select:
        select(f"SELECT a,\n  {call} AS x\nFROM t", "marts/m.sql")
    with pytest.raises(ConfigError) as in_expression:
        expression(call, HERE, "partition expression")

    assert in_select.value.where == Where(file="marts/m.sql", line=2)
    assert in_expression.value.where == HERE
    assert in_expression.value.what.startswith("the partition expression")
    assert in_select.value.then


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT * FROM parquet.`/etc/x`", "by a path"),
        ("SELECT * FROM delta.`s3://bucket/silver/t`", "by a path"),
        ("SELECT * FROM csv.`x`", "by a path"),
        ("SELECT * FROM other.orders", "by a path or a catalog"),
        ("SELECT * FROM range(10)", "table function"),
        ("SELECT * FROM explode(array(1))", "table function"),
        ("SELECT * FROM identifier('orders')", "may not use identifier"),
        ("SELECT * FROM orders VERSION AS OF 3", "chooses a version"),
        ("SELECT * FROM orders TIMESTAMP AS OF '2026-01-01'", "chooses a version"),
        ("SELECT * FROM orders TABLESAMPLE (10 PERCENT)", "sample"),
        ("SELECT TRANSFORM(a) USING 'cat' AS (b) FROM orders", "runs a script"),
        ("SELECT a FROM orders; SELECT b FROM orders", "2 statements"),
        ("SELECT a FROM orders; DROP TABLE orders", "2 statements"),
        ("DROP TABLE orders", "no SELECT"),
        ("INSERT INTO orders SELECT 1", "no SELECT"),
        ("CREATE TABLE x AS SELECT 1", "no SELECT"),
        ("SET spark.sql.ansi.enabled=true", "no SELECT"),
        ("", "0 statements"),
        ("-- nothing", "0 statements"),
        ("SELECT 'open FROM orders", "opens a quote"),
        ("SELECT `open FROM orders", "opens a quote"),
        ('SELECT "open FROM orders', "opens a quote"),
        ("SELECT (a FROM orders", "cannot be parsed"),
        ("SELECT " + "(" * 4000 + "a" + ")" * 4000 + " FROM orders", "nested too deeply"),
    ],
)
def test_only_one_select_over_declared_inputs_is_a_mart(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        select(text, "marts/m.sql")


def test_the_line_of_an_open_quote_is_told() -> None:
    with pytest.raises(ConfigError) as error:
        select("SELECT 'fine', -- it's a comment\n  'open,\n  a FROM t", "m.sql")
    assert error.value.where.line == 2


@pytest.mark.parametrize(
    "text",
    [
        "WITH x(a, b) AS (SELECT 1, 2) SELECT * FROM x UNION ALL (SELECT 3, 4) ;",
        "SELECT `current_date`, t.current_date, 'now() rand()' /* now() */ FROM t -- rand()",
        "SELECT c.x FROM t LATERAL VIEW explode(array(1)) c AS x",
        "SELECT any(a), every(b), if(a, 1, 2), bigint(c), EXTRACT(year FROM d) FROM t WHERE a IN (1) AND EXISTS (SELECT 1)",
        "SELECT unix_timestamp(t), transform(a, x -> x + 1), sum(a) FILTER (WHERE b) OVER (PARTITION BY c) FROM t",
        "SELECT CAST(a AS decimal(18, 2)), a::string, struct(a, b).a, map('k', 1)['k'] FROM t JOIN u USING (a)",
        "SELECT CAST('today' AS STRING), 'now' FROM t",
    ],
)
def test_what_only_looks_like_it_is_allowed(text: str) -> None:
    select(text, "m.sql")


@pytest.mark.parametrize(
    "text", ["SELECT 1", "(SELECT max(a) FROM t)", "a AS b", "a, b", "a; b", "DROP TABLE t", "'x", ""]
)
def test_an_expression_is_over_one_row(text: str) -> None:
    with pytest.raises(ConfigError):
        expression(text, HERE, "partition expression")


def test_the_list_of_functions_is_sparks_own(spark: SparkSession) -> None:
    live = {r[0] for r in spark.sql("SHOW SYSTEM FUNCTIONS").collect()}

    assert spark_functions() == {name for name in live if name[0].isalpha()}
    later = {
        "current_time",
        "getdate",
        "session_user",
        "sysdate",
        "try_reflect",
        "identifier",
    }  # or no function in the list
    assert REFUSED.keys() - live == later


COLUMNS = {
    "s": "string",
    "i": "int",
    "b": "bigint",
    "m": "decimal(18,2)",
    "d": "date",
    "t": "timestamp",
    "f": "boolean",
}
EXPRESSIONS = [
    "s",
    "i",
    "b",
    "m",
    "d",
    "t",
    "f",
    "to_date(t)",
    "to_date(s)",
    "CAST(t|AS|DATE)",
    "trunc(d,'MM')",
    "date_trunc('MONTH',t)",
    "date_trunc('DAY',d)",
    "date_add(d,1)",
    "date_sub(d,1)",
    "date_add(t,1)",
    "d+INTERVAL|1|DAY",
    "t-INTERVAL|1|HOUR",
    "add_months(d,1)",
    "last_day(d)",
    "year(d)",
    "month(t)",
    "date_format(d,'yyyy-MM')",
    "coalesce(d,to_date(t))",
    "coalesce(t,d)",
    "CASE|WHEN|f|THEN|d|END",
    "if(f,d,d)",
    "nullif(d,d)",
    "array(d,date_sub(d,56))",
    "sequence(d,date_add(d,86))",
    "substring(s,1,4)",
    "upper(s)",
    "concat(s,'x')",
    "s||s",
    "i+1",
    "i*b",
    "i/2",
    "m/2",
    "m*m",
    "sum(m)",
    "sum(i)",
    "count(*)",
    "avg(m)",
    "max(d)",
    "min(t)",
    "max_by(d,t)",
    "pmod(i,2)",
    "unix_date(d)",
    "datediff(d,d)",
    "hour(t)",
    "round(m,1)",
    "abs(m)",
    "greatest(d,d)",
    "floor(m)",
    "make_date(i,i,i)",
    "to_timestamp(s)",
    "from_unixtime(b)",
    "'x'",
    "1",
    "1.5",
    "d-1",
    "d-d",
    "t-t",
    "length(s)",
    "s='x'",
    "date(t)",
    "string(d)",
    "quarter(d)",
    "weekofyear(d)",
    "next_day(d,'MO')",
    "months_between(d,d)",
    "nvl(d,d)",
    "element_at(array(d),1)",
    "split(s,',')",
    "size(array(i))",
    "md5(s)",
    "NOT|f",
    "count_if(f)",
    "collect_set(d)",
    "i%2",
    "i|div|2",
    "EXTRACT(year|FROM|d)",
    "date_part('year',d)",
    "timestamp_seconds(b)",
    "transform(array(d),x->x)",
    "hash(s)",
    "first(d)",
    "-i",
]


def test_a_type_is_told_only_where_it_is_sparks(spark: SparkSession) -> None:
    frame = spark.sql("SELECT " + ", ".join(f"CAST(NULL AS {k}) AS {n}" for n, k in COLUMNS.items()))
    families = {"int": "integer", "bigint": "integer", "smallint": "integer"}
    told, wrong = 0, []
    for text in (e.replace("|", " ") if "||" not in e else e for e in EXPRESSIONS):
        family = family_of(expression(text, HERE, "x"), COLUMNS)
        real = frame.selectExpr(f"{text} AS x").dtypes[0][1].removeprefix("array<").removesuffix(">")
        told += family != UNKNOWN
        if family not in (UNKNOWN, families.get(real, real)):
            wrong.append((text, family, real))

    assert wrong == []
    assert told > 55


PARTITIONS = {
    "to_date(day)": None, "day": None, "trunc(day, 'MM')": None, "array(day, date_sub(day, 1))": None,
    "sequence(day, date_add(day, 6))": None, "transform(array(day), x -> date_add(x, 1))": None,
    "date_trunc('MONTH', day)": "gives a timestamp, the mart's partitions are of type date",
    "date_format(day, 'yyyy-MM')": "gives a string",
    "year(day)": "gives a integer",
    "array('2026-01-01')": "gives a string",
    "max(day)": "not about one row",
    "trnc(day, 'MM')": "calls trnc, which",
    "dy": "names unknown columns ['dy']",
    "current_date()": "may not use current_date",
    "_extracted_at": "gives a timestamp",
    "to_date(_extracted_at)": None,
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), PARTITIONS.items(), ids=PARTITIONS)
def test_a_partition_expression_gives_the_type_of_the_marts_partitions(tmp_path: Path, text: str, says: str | None) -> None:  # fmt: skip
    quoted = '"' + text + '"'
    files = FILES | {"pipeline.yml": FILES["pipeline.yml"].replace("partition: day}", f"partition: {quoted}}}", 1)}

    found = complaints(write(tmp_path, files))

    assert [says in f.what for f in found] == ([True] if says else [])
    assert all(f.where.line == 12 for f in found)


@pytest.mark.parametrize(
    ("sql", "says", "then"),
    [
        ("SELECT day, sum(Betrag) AS amount FROM sales GROUP BY day", "'betrag'", "did you mean amount?"),
        (
            "SELECT Verkaufstag AS day, sum(amount) AS amount FROM sales GROUP BY 1",
            "'verkaufstag'",
            "did you mean day?",
        ),
        ("SELECT day, sum(sales.Betrag) AS amount FROM sales GROUP BY day", "'betrag'", "did you mean amount?"),
        ("SELECT day, sum(amout) AS amount FROM sales GROUP BY day", "'amout'", "did you mean amount?"),
        ("WITH k AS (SELECT day FROM sales) SELECT day, amount FROM k", "'amount' where it is read", "pass it on"),
    ],
)
def test_a_column_called_as_its_source_calls_it_is_told_its_name(tmp_path: Path, sql: str, says: str, then: str) -> None:  # fmt: skip
    table = FILES["tables/sales.yml"].replace("name: amount,", "name: amount, source: Betrag,")
    table = table.replace("name: day,", "name: day, source: Verkaufstag,")
    assert table.count("source: Betrag") == table.count("source: Verkaufstag") == 1

    [found] = complaints(write(tmp_path, FILES | {"tables/sales.yml": table, "marts/daily.sql": sql}))

    assert says in found.what
    assert then in found.then


DECLARATIONS = {
    "deep yaml": ("tables/sales.yml", "x: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
    "an alias of itself": ("tables/sales.yml", "x: &a [*a]", "nested too deeply"),
    "laughing aliases": (
        "tables/sales.yml",
        "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]),
        "more than 100,000 values",
    ),
    "a control character": ("tables/sales.yml", "table: sa\x07les", "not YAML"),
    "a day that is none": ("tables/sales.yml", "x: 2026-02-31", "not YAML: day is out of range"),
    "a number of 5,000 digits": ("tables/sales.yml", "x: " + "9" * 5000, "not YAML"),
}  # fmt: skip


@pytest.mark.parametrize(("file", "text", "says"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_declaration_that_no_parser_can_hold_is_named(tmp_path: Path, file: str, text: str, says: str) -> None:
    [found] = complaints(write(tmp_path, FILES | {file: text}))

    assert says in found.what
    assert file in str(found.where)


@pytest.mark.parametrize("value", ["[" * 90_000 + "]" * 90_000, '{"a":' * 90_000 + "1" + "}" * 90_000, "9" * 5000])
def test_a_suite_that_no_parser_can_hold_is_named(tmp_path: Path, value: str) -> None:
    table = FILES["tables/sales.yml"].replace("resource: public/sales", "resource: public/sales\nsuite: sales")
    write(tmp_path, FILES | {"tables/sales.yml": table})
    (tmp_path / "suites/bank").mkdir(parents=True)
    (tmp_path / "suites/bank/sales.json").write_text(f'{{"name": "sales", "expectations": [], "meta": {value}}}')

    [found] = complaints(tmp_path)

    assert "sales.json" in str(found.where)
