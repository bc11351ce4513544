"""Every construct that runs embedded gives Spark's values, in Spark's types, over rows that tempt engines to differ."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from ledgerlake.config.environment import Environment
from ledgerlake.engines.base import NotHere, Unsupported
from ledgerlake.engines.door import Engines
from ledgerlake.engines.embedded import engine
from ledgerlake.engines.embedded.arrow_kinds import columns_of, kind_of
from ledgerlake.errors import ConfigError
from ledgerlake.sql.relation import Relation
from pyspark.sql import SparkSession

D = Decimal
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "k": (pa.string(), ["a", "a", "b", "b", "b", None]),
    "n": (pa.int32(), [1, -7, 0, 1_000, None, 3]),
    "m": (pa.int32(), [2, 3, 0, -3, 5, None]),
    "big": (pa.int64(), [9_000_000_000, -1, 0, 7, None, 12]),
    "amount": (pa.decimal128(18, 2), [D("10.05"), D("-0.01"), D("0.00"), D("99999.99"), None, D("2.50")]),
    "rate": (pa.decimal128(9, 6), [D("0.333333"), D("-1.000000"), D("0.000000"), D("12.500000"), D("3.000000"), None]),
    "text": (pa.string(), ["Ann", " é ", "", "a,b;c", "x\ny", None]),
    "code": (pa.string(), ["A-1-x", "b-22-y-z", "-", "none", "1e3", None]),
    "day": (pa.date32(), [date(2024, 1, 31), date(2024, 2, 29), date(1999, 12, 31), date(1900, 3, 1), None, date(2026, 3, 8)]),
    "at": (pa.timestamp("us", "UTC"), [
        datetime(2024, 1, 31, 23, 59, 59, 999_999, UTC), datetime(2024, 2, 29, 0, 0, 0, 100, UTC), datetime(1969, 12, 31, 12, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC), None, datetime(2026, 3, 29, 1, tzinfo=UTC),
    ]),
    "yes": (pa.bool_(), [True, False, True, None, False, True]),
    "tags": (pa.list_(pa.string()), [["b", "a"], [], [None, "a"], ["a", "a"], None, ["c"]]),
}  # fmt: skip
ROWS = pa.table({name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()})

EACH = """
n + m | n - m | n * m | n / m | n % m | n div m | big + n | amount + n | amount - rate | amount * rate | amount / rate | amount / n
n / amount | amount * 2 | amount / 3 | 1 / rate | -amount | abs(amount) | abs(n) | sign(amount) | round(amount, 1) | round(amount) | round(rate, 2)
pmod(n, 7) | amount > rate | amount = n | n <=> m | n IS DISTINCT FROM m | n BETWEEN m AND 5 | n IN (1, 3, NULL) | k IN ('a', 'c') | NOT yes | yes AND n > 0 | yes OR n > 0
CASE WHEN n > 0 THEN amount ELSE 0 END | CASE k WHEN 'a' THEN 1 WHEN 'b' THEN big END | if(yes, amount, rate) | coalesce(n, m, 0) | coalesce(amount, 1) | nullif(k, 'a') | greatest(n, m) | least(amount, rate, 5)
concat(k, '-', text) | k || n | concat(k, amount) | concat_ws('|', k, text, n) | length(text) | upper(k) | lower(k) | trim(concat(' ', k, ' ')) | ltrim('x', code) | rtrim('z', code)
replace(code, '-', '+') | substring(code, 2) | substring(code, 1, 3) | substring(code, 3, 0) | substring_index(code, '-', 1) | substring_index(code, '-', -1) | split_part(code, '-', 2) | lpad(k, 3, '0') | rpad(code, 4, '*')
instr(code, '-') | startswith(code, 'A') | endswith(code, 'x') | contains(code, '2') | code LIKE '%-%' | code LIKE 'A__%' | text RLIKE '^[a-z,;]+$' | text RLIKE 'y$' | text RLIKE 'x.y' | code RLIKE '[0-9]{2}' | regexp_extract(code, '([0-9]+)', 1) | regexp_replace(code, '[0-9]', '#')
md5(k) | sha2(k, 256) | crc32(k) | CAST(n AS STRING) | CAST(amount AS STRING) | CAST(day AS STRING) | CAST(at AS STRING) | CAST(yes AS STRING) | CAST(amount AS DECIMAL(10,1)) | CAST(amount AS DECIMAL(5,2)) | CAST(amount AS INT) | CAST(n AS DECIMAL(9,2)) | CAST(n AS BIGINT) | CAST(big AS DOUBLE) | CAST(yes AS INT)
CAST(at AS DATE) | CAST(day AS TIMESTAMP) | to_date(at) | date_add(day, 30) | date_sub(day, 1) | date_add(at, 1) | datediff(at, day) | day + INTERVAL 1 MONTH | at - INTERVAL 2 HOUR | trunc(day, 'MM') | trunc(day, 'YEAR') | trunc(at, 'WEEK')
date_trunc('MONTH', at) | date_trunc('hour', at) | date_trunc('WEEK', at) | date_trunc('quarter', at) | year(day) | month(at) | day(day) | quarter(day) | dayofyear(day) | weekofyear(day) | dayofweek(day) | hour(at) | minute(at) | second(at) | add_months(day, 1)
date_format(at, 'yyyy-MM-dd') | date_format(day, 'yyyyMM') | date_format(at, 'yyyy-MM-dd HH:mm:ss.SSSSSS') | unix_date(day) | date_from_unix_date(n) | unix_micros(at) | timestamp_micros(big) | timestamp_seconds(big) | timestamp_millis(big)
to_utc_timestamp(at, 'Europe/Berlin') | from_utc_timestamp(at, 'Europe/Berlin') | from_utc_timestamp(at, 'America/New_York') | day > '2024-01-01' | at >= '2024-02-01' | day < at | array(n, m) | array('x', k) | size(tags) | array_contains(tags, 'a') | array_sort(tags) | sort_array(tags) | sort_array(tags, false) | array_join(tags, '+')
concat_ws('; ', tags) | slice(tags, 1, 1) | filter(tags, t -> t = 'a') | transform(tags, t -> concat(t, '!')) | exists(tags, t -> t = 'a') | sequence(day, date_add(day, 2)) | map('a', k)['a'] | struct(n, k AS key).key | named_struct('x', n).x | to_json(struct(k, n, amount, day, yes))
from_json('{"a": "1", "b": null}', 'a STRING, b STRING').a | from_json('[{"v": "1.5"}, {"v": null}]', 'ARRAY<STRUCT<v: STRING>>') | format_number(amount, 2) | format_number(amount, '#,##0.0##') | CAST(CAST(n AS DOUBLE) / 3 AS DECIMAL(12,6)) | conv(substring(md5(k), 1, 15), 16, 10)
"""
ALL = """
count(*) | count(n) | count(DISTINCT k) | count_if(n > 0) | sum(n) | sum(big) | sum(amount) | sum(DISTINCT n) | avg(n) | avg(amount) | avg(rate) | min(amount) | max(text) | min(at) | max(day) | bool_or(yes) | bool_and(yes) | max_by(k, amount) | max_by(n, amount) | min_by(k, at)
sum(amount) / count(*) | sum(amount) FILTER (WHERE n > 0) | count(*) FILTER (WHERE yes) | max(k) FILTER (WHERE n < 0) | avg(amount) FILTER (WHERE n > 0) | sort_array(collect_list(k)) | sort_array(collect_set(k)) | size(collect_set(text)) | sum(amount * rate) | sum(CASE WHEN yes THEN amount ELSE 0 END)
"""
WINDOWS = """
row_number() OVER (PARTITION BY k ORDER BY n, amount) | rank() OVER (ORDER BY k) | dense_rank() OVER (ORDER BY k DESC) | lead(n) OVER (ORDER BY amount, n) | lag(n, 2) OVER (ORDER BY amount DESC, n) | lead(text) IGNORE NULLS OVER (ORDER BY amount, n)
sum(amount) OVER (PARTITION BY k ORDER BY n) | sum(n) OVER (ORDER BY amount ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) | avg(amount) OVER (PARTITION BY k) | count(*) OVER () | max(day) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) | first(k, true) OVER (ORDER BY n) | last(k, true) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING)
sum(amount) OVER (ORDER BY unix_date(day) RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING) | min(n) OVER (PARTITION BY yes ORDER BY amount ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
"""
QUERIES = [
    "SELECT k, sum(amount) AS total FROM x GROUP BY k HAVING sum(amount) > 1",
    "SELECT k AS kind, n + 1 AS next, next * 2 AS twice FROM x",
    "SELECT a.k, b.n FROM x a JOIN x b ON a.k = b.k AND a.n < b.n",
    "SELECT k, a.n, b.amount FROM x a LEFT JOIN x b USING (k)",
    "SELECT * FROM x a LEFT ANTI JOIN x b ON a.n = b.m",
    "SELECT k FROM x a LEFT SEMI JOIN x b ON a.m = b.n",
    "SELECT k, n FROM x UNION SELECT k, m FROM x",
    "SELECT n FROM x EXCEPT SELECT m FROM x",
    "SELECT amount FROM x UNION ALL SELECT n FROM x",
    "WITH t AS (SELECT k, max(n) AS top FROM x GROUP BY k) SELECT x.k, top FROM x JOIN t ON t.k = x.k",
    "SELECT k, tag FROM x LATERAL VIEW explode(tags) AS tag",
    "SELECT k, tag FROM x LATERAL VIEW OUTER explode(tags) t AS tag",
    "SELECT k, posexplode_outer(tags) AS (place, tag) FROM x",
    "SELECT k, explode(tags) AS tag FROM x",
    "SELECT DISTINCT k, yes FROM x",
    "SELECT k, n FROM x WHERE n = (SELECT max(n) FROM x) OR k IN (SELECT k FROM x WHERE m < 0)",
    "SELECT date_trunc('MONTH', at) AS month, count(*) AS rows FROM x GROUP BY 1 ORDER BY month LIMIT 2",
    "SELECT amount AS n, n AS amount FROM x ORDER BY n LIMIT 3",
    "SELECT k, sum(n) OVER w AS s FROM x WINDOW w AS (PARTITION BY k ORDER BY amount, n)",
    "SELECT x.* FROM x WHERE NOT (n > 0)",
]


def items(text: str) -> list[str]:
    return [item.strip() for line in text.strip().splitlines() for item in line.split(" | ")]


def engine_of(name: str, spark: SparkSession) -> Engines:
    environment = Environment(environment="test", lake="", sources="", engine=name)  # type: ignore[arg-type]
    return Engines(environment, lambda: spark)


def both(spark: SparkSession, statement: str) -> tuple[pa.Table, pa.Table]:
    inputs = [Relation.of("x", ROWS, ROWS.column_names)]
    here, there = (e.table(e.declared(statement, inputs)) for e in (engine_of("embedded", spark), engine_of("spark", spark)))
    return here, there


def in_order(rows: pa.Table) -> list[str]:
    return sorted(repr(list(row.values())) for row in rows.to_pylist())


@pytest.mark.parametrize("text", [EACH, ALL, WINDOWS], ids=["of each row", "of all rows", "of windows"])
def test_an_expression_has_one_value_and_one_type(spark: SparkSession, text: str) -> None:
    named = [f"{item} AS c{n}" for n, item in enumerate(items(text))]
    rows = "SELECT * FROM x" if text is ALL else "SELECT row_number() OVER (ORDER BY amount, k) AS turn, * FROM x"
    turn = "" if text is ALL else "turn, "
    here, there = both(spark, f"SELECT {turn}{', '.join(named)} FROM ({rows})")

    assert here.num_rows == there.num_rows
    order = [] if text is ALL else [("turn", "ascending")]
    here, there = (t.sort_by(order) if order else t for t in (here, there))
    found = {n: (kind_of(t), here[n].to_pylist()) for n, t in zip(here.schema.names, here.schema.types, strict=True)}
    wanted = {n: (kind_of(t), there[n].to_pylist()) for n, t in zip(there.schema.names, there.schema.types, strict=True)}
    said = dict(zip([f"c{n}" for n in range(len(named))], items(text), strict=True))
    assert {said.get(n, n): (found[n], wanted[n]) for n in wanted if found[n] != wanted[n]} == {}


@pytest.mark.parametrize("statement", QUERIES)
def test_a_query_has_one_answer(spark: SparkSession, statement: str) -> None:
    here, there = both(spark, statement)

    assert columns_of(here.schema) == columns_of(there.schema)
    assert in_order(here) == in_order(there)


@pytest.mark.parametrize(
    ("item", "construct"),
    [
        ("percentile(n, 0.5)", "quantile()"), ("collect_list(k)", "collect_list()"), ("stddev_pop(n)", "stddev_pop()"),
        ("sum(CAST(n AS DOUBLE))", "sum() of double"), ("CAST(CAST(n AS DOUBLE) AS STRING)", "double to string"),
        ("max(n = '1')", "a comparison of int with text"), ("max(k RLIKE '(?<=a)b')", "looking around"), ("max(soundex(k))", "soundex()"),
    ],
)  # fmt: skip
def test_what_is_not_proven_is_named_with_its_line_and_not_guessed(item: str, construct: str) -> None:
    with pytest.raises(Unsupported) as refused:
        engine.planned(f"SELECT\n  {item} AS c\nFROM x", {"x": {"n": "int", "k": "string"}})
    assert construct in refused.value.construct
    assert refused.value.line in (0, 2, 3)


@pytest.mark.parametrize(
    ("item", "values"),
    [("upper(k)", ["straße"]), ("CAST(k AS INT)", [" 1"]), ("CAST(k AS DATE)", ["2026-3-1"]), ("n + n", [2_000_000_000])],
)
def test_rows_over_which_engines_may_differ_go_to_spark(spark: SparkSession, item: str, values: list[Any]) -> None:
    column = "n" if item.startswith("n") else "k"
    given = pa.table({column: pa.array(values, pa.int32() if column == "n" else pa.string())})
    rows = Relation.of("x", given, [column]).select(f"{item} AS c")

    with pytest.raises(NotHere):
        engine.run(rows)
    auto = engine_of("auto", spark)
    assert auto.table(rows).equals(engine_of("spark", spark).table(rows))
    assert auto.told
    with pytest.raises(ConfigError, match="needs Spark"):
        engine_of("embedded", spark).table(rows)
