"""Names under which marts are served: no name of our own, no table of another pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgerlake.config.check import check_pipeline
from ledgerlake.config.load import load_pipeline

PIPELINE = """
pipeline: {name}
sources: {{files: {{feed: csv, location: files}}}}
marts:
  - {{mart: {mart}, sql: marts/m.sql, key: [id], publish: {publish}, inputs: [{{table: things}}]}}
publication: {{database: {database}, schema: {schema}, bi_schema: {bi}}}
"""
TABLE = (
    "table: things\nsource: files\nresource: things\nkey: [id]\ncolumns: [{name: id, type: string, nullable: false}]\n"
)


def declare(
    conf: Path,
    name: str,
    mart: str = "sales",
    publish: str = "true",
    database: str = "FIN",
    schema: str = "S",
    bi: str = "B",
) -> None:
    folder = conf / "pipelines" / name
    (folder / "tables").mkdir(parents=True)
    (folder / "marts").mkdir()
    text = PIPELINE.format(name=name, mart=mart, publish=publish, database=database, schema=schema, bi=bi)
    (folder / "pipeline.yml").write_text(text)
    (folder / "tables" / "things.yml").write_text(TABLE)
    (folder / "marts" / "m.sql").write_text("SELECT id FROM things")


def found(conf: Path, name: str = "shop") -> list[str]:
    return [f"{f.what} (line {f.where.line})" for f in check_pipeline(load_pipeline(conf, conf / "suites", name))]


def test_two_pipelines_with_one_mart_in_one_schema_are_both_told(tmp_path: Path) -> None:
    declare(tmp_path, "shop")
    declare(tmp_path, "till", database="fin", schema="s")

    assert found(tmp_path) == ["the pipeline 'till' publishes a table 'sales' into the same schema (line 5)"]
    assert found(tmp_path, "till") == ["the pipeline 'shop' publishes a table 'sales' into the same schema (line 5)"]


@pytest.mark.parametrize(
    "other",
    [{"schema": "T"}, {"database": "OTHER"}, {"mart": "returns"}, {"publish": "false"}],
    ids=lambda o: next(iter(o)),
)
def test_tables_that_do_not_meet_are_nobodys_business(tmp_path: Path, other: dict[str, str]) -> None:
    declare(tmp_path, "shop")
    declare(tmp_path, "till", **other)

    assert found(tmp_path) == []


def test_a_broken_pipeline_beside_it_is_its_own_matter(tmp_path: Path) -> None:
    declare(tmp_path, "shop")
    (tmp_path / "pipelines" / "broken").mkdir()
    (tmp_path / "pipelines" / "broken" / "pipeline.yml").write_text("- not\n- a pipeline\n")

    assert found(tmp_path) == []


@pytest.mark.parametrize("mart", ["publication_ledger", "publication_locks", "publication_stage_sales"])
def test_a_mart_named_like_one_of_our_own_tables_is_refused(tmp_path: Path, mart: str) -> None:
    declare(tmp_path, "shop", mart=mart)

    assert found(tmp_path) == [f"{mart!r} may be one of ledgerlake's own tables (line 5)"]


def test_views_do_not_stand_where_their_tables_do(tmp_path: Path) -> None:
    declare(tmp_path, "shop", bi="s")

    assert "`schema` and `bi_schema` are the same" in found(tmp_path)[0]


def test_a_name_that_snowflake_objects_may_not_have_is_found(tmp_path: Path) -> None:
    declare(tmp_path, "shop", schema='"my schema"')

    assert "'my schema' is not a name that Snowflake objects may have here" in found(tmp_path)[0]
