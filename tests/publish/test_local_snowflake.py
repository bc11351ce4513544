"""The local Snowflake keeps its data, and lets one command in at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgerlake.demo.local_snowflake import LocalSnowflake
from ledgerlake.errors import ConfigError, NotFoundError, PublishError, TransientError
from ledgerlake.ports.snowflake import connector
from ledgerlake.publish.query import run_query
from ledgerlake.publish.session import session


def test_committed_data_outlives_the_server_and_open_work_does_not(tmp_path: Path) -> None:
    with (
        LocalSnowflake(tmp_path / "warehouse") as server,
        session(connector(server.parameters())) as opened,
    ):
        for sql in (
            "CREATE DATABASE KEPT",
            "CREATE SCHEMA KEPT.S",
            "CREATE TABLE KEPT.S.T (N NUMBER(5,0))",
        ):
            opened.rows("set up", sql)
        opened.affected("insert", "INSERT INTO KEPT.S.T SELECT ?", 1)
        opened.rows("begin", "BEGIN")
        opened.affected("insert", "INSERT INTO KEPT.S.T SELECT ?", 2)

    with LocalSnowflake(tmp_path / "warehouse") as server:
        assert run_query(connector(server.parameters()), "SELECT N FROM KEPT.S.T") == (
            ["N"],
            [(1,)],
        )

    assert sorted(p.name for p in (tmp_path / "warehouse").iterdir()) == [".lock", "KEPT.db"]


def test_a_second_command_is_told_that_the_first_one_holds_it(tmp_path: Path) -> None:
    with LocalSnowflake(tmp_path) as first:
        first.parameters()
        with (
            LocalSnowflake(tmp_path, lock_wait_s=0) as second,
            pytest.raises(TransientError, match="another ledgerlake"),
        ):
            second.parameters()


def test_only_reading_reaches_the_warehouse(server: LocalSnowflake) -> None:
    connect = connector(server.parameters())

    assert run_query(connect, "SELECT 1 AS ONE, 'x' AS TWO") == (["ONE", "TWO"], [(1, "x")])
    assert len(run_query(connect, "SELECT 1 UNION ALL SELECT 2", rows_max=1)[1]) == 1
    with pytest.raises(ConfigError, match="only one SELECT"):
        run_query(connect, "DROP DATABASE KEPT")
    with pytest.raises((PublishError, NotFoundError)):
        run_query(connect, "SELECT * FROM NO_SUCH.S.T")
