"""Each of the eleven feeds loads its samples through ``ledgerlake run``, from the declarations in ``every_feed/`` alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psycopg
import pytest
from end_to_end.project import Project, new_project
from house import lines
from ledgerlake.demo.ledgerbox.settlements_db import SettlementsDb
from ledgerlake.demo.ledgerbox.stripe_server import DEMO_KEY, StripeServer
from ledgerlake.demo.serving import serving
from ledgerlake.feeds.registry import FEEDS
from ledgerlake.testing import http_stream, salesforce_cdc, stripe, wal2json
from ledgerlake.testing.debezium import envelope, topic

DECLARED = Path(__file__).with_name("every_feed")
SQL = """
CREATE TABLE people (id text PRIMARY KEY, owner text, city text);
CREATE TABLE people_with_time (id text PRIMARY KEY, owner text, city text, at timestamptz NOT NULL);
CREATE PUBLICATION every_feed FOR TABLE people;
INSERT INTO people VALUES ('1', 'Ann', 'Bonn'), ('2', 'Bob', 'Kiel');
INSERT INTO people_with_time SELECT *, '2026-03-01 10:00:00Z' FROM people;
"""
OLD, ANN, BOB, EVE = (
    dict(zip(("id", "owner", "city"), values, strict=True))
    for values in (("1", "Ann", "Oslo"), ("1", "Ann", "Bonn"), ("2", "Bob", "Kiel"), ("3", "Eve", "Rome"))
)


def delivered() -> dict[str, bytes]:
    """Return what stands at the sources that deliver files: Ann moved to Bonn, Bob stayed, Eve is gone where that is told."""
    bob = f"{salesforce_cdc.PERSON[:-1]}B"
    old, ann, bobs, eve = (wal2json.pairs(**p) for p in (OLD, ANN, BOB, EVE))
    written = [wal2json.row("I", p) for p in (old, bobs, eve)]
    changed = [wal2json.row("U", ann, wal2json.pairs(id="1")), wal2json.row("D", None, wal2json.pairs(id="3"))]
    debezium = topic(
        "people", envelope("c", None, OLD, 100, 110), envelope("c", None, BOB, 100, 120),
        envelope("c", None, EVE, 100, 130), envelope("u", OLD, ANN, 200, 210), envelope("d", EVE, None, 200, 220),
    )  # fmt: skip
    event = salesforce_cdc.event
    return {
        "dms/public/people/LOAD00000001.csv": b"Op,id,owner,city,seq\nI,1,Ann,Oslo,\nI,3,Eve,Rome,\n",
        "dms/public/people/20260301-120000000.csv": b"Op,id,owner,city,seq\nU,1,Ann,Bonn,7\nD,3,Eve,Rome,8\nI,2,Bob,Kiel,9\n",
        **{f"debezium/people/{name}": body for name, body in debezium.items()},
        "wal2json/2026-03-01/a.json": wal2json.body(*wal2json.transaction(*written, *changed)),
        "salesforce/person/1.jsonl": event(Owner__c="Ann", City__c="Oslo") + event("UPDATE", 2, City__c="Bonn")
        + event("CREATE", 3, header={"recordIds": [bob]}, Owner__c="Bob", City__c="Kiel"),
        "topics/people/dt=2026-03-01/people+0+0000000000.json": lines(
            OLD | {"op": "put"}, ANN | {"op": "put"}, BOB | {"op": "put"}, EVE | {"op": "put"}, EVE | {"op": "drop"}
        ).encode(),
        "csv/people/people_2026-03-01.csv": b"id,owner,city\n1,Ann,Oslo\n3,Eve,Rome\n",
        "csv/people/people_2026-03-02.csv": b"id,owner,city\n1,Ann,Bonn\n2,Bob,Kiel\n",
        "dump/people/people-2026-03-01.json": json.dumps(
            {"people": [ANN | {"version": 2}, OLD | {"version": 1}, BOB | {"version": 1}]}
        ).encode(),
    }  # fmt: skip


class Service(BaseHTTPRequestHandler):
    """Streams the people of any day; what comes last of an id counts."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(http_stream.data(ANN, BOB) + http_stream.DONE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def project(tmp_path: Path, open_folder: Path) -> Iterator[Project]:
    """A project with the declarations of ``every_feed/``, and its sources running."""
    project = new_project(tmp_path / "project")
    shutil.copytree(
        DECLARED, project.folder / "conf/pipelines/every_feed", ignore=shutil.ignore_patterns("environment.yml")
    )
    shutil.copy(DECLARED / "environment.yml", project.folder / "conf/environments/feeds.yml")
    for path, body in delivered().items():
        target = project.folder / ".local/sources" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    account = StripeServer([])
    people = [
        stripe.customer(n, name=p["owner"], address={"city": p["city"]}) for n, p in (("cus_1", ANN), ("cus_2", BOB))
    ]
    account.store.put(people)
    with ExitStack() as running:
        database = running.enter_context(SettlementsDb(open_folder / "every_feed_pg").running()).endpoint
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            connection.execute(SQL)
        running.enter_context(account.running())
        service = running.enter_context(serving(Service, 0))
        project.environment |= {
            "DSN": database.dsn, "JDBC_URL": database.jdbc_url, "STRIPE_API_KEY": DEMO_KEY,
            "STRIPE_BASE_URL": account.url, "SERVICE_URL": f"http://127.0.0.1:{service.server_address[1]}",
        }  # fmt: skip
        yield project


def test_each_of_the_eleven_feeds_loads_its_samples_through_a_run_from_yaml_alone(project: Project) -> None:
    day = ("--env", "feeds", "run", "every_feed", "--date", "2026-03-02")
    first = project.ask(*day)
    assert (first["status"], first["stopped"]) == ("published", [])

    told = project.ask(
        "--env", "feeds", "sql", "SELECT FEED, OWNER, CITY FROM FINANCE.EVERY_FEED_BI.PEOPLE ORDER BY FEED, OWNER"
    )
    assert sorted(FEEDS) == sorted({r["FEED"] for r in told})
    for feed in FEEDS:
        assert [(r["OWNER"], r["CITY"]) for r in told if r["FEED"] == feed] == [("Ann", "Bonn"), ("Bob", "Kiel")], feed

    again = project.ask(*day)
    assert (again["status"], again["read"]) == ("unchanged", 0)
