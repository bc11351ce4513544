"""Days of a streaming service: what is asked, what is a whole day, and what becomes of its records."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from house import NOON, House, rows_of
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Source, Table
from ledgerlake.demo.bnpl.simtom_server import PATH, SimtomServer, answered
from ledgerlake.errors import SourceError, TransientError
from ledgerlake.feeds.http_stream.days import Asked, Service, as_lines, days_to_ask
from ledgerlake.feeds.http_stream.feed import HttpStreamFeed
from ledgerlake.feeds.http_stream.sse import Event, events
from ledgerlake.feeds.http_stream.volumes import Volumes
from ledgerlake.lake.workspace import Workspace
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.http import Request, Retries, SystemHttp
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.testing.http_stream import HOSTILE, data
from ledgerlake.testing.samples import Hostile
from pyspark.sql import SparkSession

THANKSGIVING, SATURDAY = date(2024, 11, 28), date(2024, 11, 30)
PIPELINE = """
pipeline: bank
sources:
  simtom:
    feed: http_stream
    connection: simtom
    options:
      seed: 7
      attempts: 1
      minimum: 4
      volume: {weekday: [5, 7], weekend: [4, 4], holiday: [8, 10], country: US}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
PAYMENTS = """
table: payments
source: simtom
resource: stream/bnpl
key: [day, transaction_id]
feed: {day_field: _timestamp}
columns:
  - {name: day, source: $day, type: date, nullable: false}
  - {name: transaction_id, type: string, nullable: false}
  - {name: customer_id, type: string, nullable: false}
  - {name: amount, type: "decimal(18,2)", nullable: false}
  - {name: risk_score, type: string}
  - {name: exact_score, source: risk_score, type: "decimal(38,18)"}
  - {name: credit_utilization, type: string}
  - {name: will_default, type: boolean}
  - {name: missed_days, source: days_to_first_missed_payment, type: integer}
  - {name: paid_at, source: _timestamp, type: timestamp}
  - {name: place, source: $ordinal, type: integer}
"""
PEOPLE = """
table: people
source: simtom
resource: people
key: [day, id]
columns:
  - {name: day, source: $day, type: date, nullable: false}
  - {name: id, type: string, nullable: false}
  - {name: owner, type: string}
  - {name: city, type: string}
"""
THREE = PIPELINE.replace(
    "volume: {weekday: [5, 7], weekend: [4, 4], holiday: [8, 10], country: US}",
    "volume: {weekday: [3, 3], weekend: [3, 3], holiday: [3, 3], country: US}\n      records: exactly\n      end_event: done",
)
# The shape of the service: two transactions of an answer, shortened to the contract's fields and some others.
GOLDEN = b"""data: {"transaction_id": "txn_00000000", "customer_id": "cust_000001", "amount": 217.08, "currency": "USD", "risk_score": 0.38000000000000006, "will_default": false, "days_to_first_missed_payment": null, "_timestamp": "2024-11-27T01:26:18", "_record_id": 0}

: keep-alive

data: {"transaction_id": "txn_00000001", "customer_id": "cust_000001", "amount": 118.1, "currency": "USD", "credit_utilization": 0.057280000000000005, "risk_score": 0.5, "will_default": true,
data:  "days_to_first_missed_payment": 28, "_timestamp": "2024-11-27T02:00:00", "_record_id": 1}

data: {"transaction_id": "txn_00000002", "customer_id": "cust_000002", "amount": 9.990000000000002, "risk_score": 0.5, "_timestamp": "2024-11-27T03:00:00"}

data: {"transaction_id": "txn_00000003", "customer_id": "cust_000002", "amount": 10, "risk_score": 0.5, "_timestamp": "2024-11-28T00:00:00"}

"""


@dataclass
class Canned:
    """An Http port that answers with bytes, and keeps what it was asked."""

    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def lines(self, request: Request) -> Iterator[bytes]:
        self.asked.append(request)
        day = json.loads(request.body or b"{}").get("start_date", "")
        yield from self.answers[day].splitlines()


@dataclass
class Connected(House):
    """A house that is connected to a service."""

    url: str = "http://service.invalid"
    http: Any = field(default_factory=SystemHttp)

    @property
    def environment(self) -> Environment:
        return super().environment.model_copy(update={"connections": {"simtom": {"base_url": self.url}}})

    def workspace(self) -> Workspace:
        pipeline, secrets = self.pipeline(), ReferencedSecrets(self.secrets)
        return Workspace(pipeline, self.environment, secrets, self.clock, lambda *_: self.spark, self.http)


@pytest.fixture
def simtom() -> Iterator[SimtomServer]:
    with SimtomServer().running() as server:
        yield server


@pytest.fixture
def shops(tmp_path: Path, spark: SparkSession, simtom: SimtomServer) -> Callable[[str], Connected]:
    """Return a maker of houses that ask the local service."""

    def build(name: str, table: str = PAYMENTS, pipeline: str = PIPELINE) -> Connected:
        house = Connected(tmp_path / name, spark, FixedClock(NOON), url=simtom.url)
        house.declare(pipeline, table)
        return house

    return build


@pytest.fixture
def dry(tmp_path: Path, simtom: SimtomServer) -> Connected:
    """Return a house without Spark: it can only extract."""
    house = Connected(tmp_path / "dry", None, FixedClock(NOON), url=simtom.url)  # type: ignore[arg-type]
    house.declare(PIPELINE, PAYMENTS)
    return house


def landed(house: House, table: str = "payments") -> list[str]:
    return [o.source_name for m in house.workspace().logs[table].all() for o in m.objects]


# Records in silver


def test_a_golden_answer_keeps_every_digit_and_quarantines_what_does_not_fit(
    tmp_path: Path, spark: SparkSession
) -> None:
    house = Connected(tmp_path / "h", spark, FixedClock(NOON), http=Canned({"2024-11-27": GOLDEN}))
    house.declare(PIPELINE, PAYMENTS).load(date(2024, 11, 27))

    assert rows_of(house.silver("payments")) == [
        ("2024-11-27", "txn_00000000", "cust_000001", "217.08", "0.38000000000000006", "0.380000000000000060", None, False, None, "2024-11-27 01:26:18", 0),
        ("2024-11-27", "txn_00000001", "cust_000001", "118.10", "0.5", "0.500000000000000000", "0.057280000000000005", True, 28, "2024-11-27 02:00:00", 1),
    ]  # fmt: skip
    assert house.reasons() == ["amount: more decimals than decimal(18,2)", "record: a record of another day"]


def test_days_in_any_order_and_one_of_them_again_give_one_table(
    shops: Callable[..., Connected], simtom: SimtomServer
) -> None:
    days = [THANKSGIVING + timedelta(days=n) for n in range(3)]
    one, other = shops("one"), shops("other")
    for day in days:
        one.load(day)
    for day in reversed(days):
        other.load(day)
    again = PAYMENTS.replace("_timestamp}", "_timestamp, resync: {2024-11-29: 1}}", 1)
    other.declare(PIPELINE, again).load(days[-1])

    expected = [
        (str(d), r["transaction_id"], r["customer_id"], f"{r['amount']:.2f}", str(r["risk_score"]))
        for d, body in zip(days, simtom.requests, strict=False)
        for r in map(json.loads, answered(body))
    ]
    rows = [row[:5] for row in rows_of(one.silver("payments"))]
    assert rows == sorted(expected)
    assert rows_of(other.silver("payments")) == rows_of(one.silver("payments"))
    assert landed(other)[-1] == "2024-11-29+0002.jsonl.gz"


def test_a_day_asked_again_replaces_the_day_and_drops_what_it_no_longer_holds(
    tmp_path: Path, spark: SparkSession
) -> None:
    http = Canned({"2026-03-01": data({"id": "1", "owner": "Ann"}, {"id": "2", "owner": "Bob"})})
    house = Connected(tmp_path / "h", spark, FixedClock(NOON), http=http)
    pipeline = THREE.replace("records: exactly\n      end_event: done", "").replace("minimum: 4", "minimum: 1")
    house.declare(pipeline, PEOPLE).load()
    http.answers["2026-03-01"] = data({"id": "2", "owner": "Rob"}, {"id": "3", "owner": "Eve"})
    house.declare(pipeline, PEOPLE.replace("key:", "feed: {resync: {2026-03-01: 1}}\nkey:")).load()

    assert [r[1:3] for r in rows_of(house.silver("people"))] == [("2", "Rob"), ("3", "Eve")]


def test_ids_of_a_whole_service_need_no_day_and_a_later_record_of_a_stream_may_update(
    tmp_path: Path, spark: SparkSession
) -> None:
    told = {
        "2026-03-01": [("1", "Ann"), ("2", "Bob"), ("1", "Eve")],
        "2026-03-02": [("2", "Rob"), ("3", "Zoe"), ("4", "Ida")],
    }
    answers = {day: data(*({"id": i, "owner": o} for i, o in rows)) for day, rows in told.items()}
    table = PEOPLE.replace("key: [day, id]", "key: [id]\nfeed: {ids_unique_across_days: true, updates: true}")
    house = Connected(tmp_path / "h", spark, FixedClock(NOON), http=Canned(answers))
    house.declare(THREE.replace("\n      end_event: done", ""), table)
    house.load(date(2026, 3, 2))
    house.load(date(2026, 3, 1))

    assert [r[1:3] for r in rows_of(house.silver("people"))] == [("1", "Eve"), ("2", "Rob"), ("3", "Zoe"), ("4", "Ida")]


def test_a_run_asks_once_for_its_day(shops: Callable[..., Connected], simtom: SimtomServer) -> None:
    house = shops("run")

    assert [house.run(THANKSGIVING).error, house.run(THANKSGIVING).status] == [None, "unchanged"]
    assert len(simtom.requests) == 1


@pytest.fixture(scope="module")
def abused(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> dict[str, tuple[str, str]]:
    """Return sample → (outcome, reason): each sample is a day of its own, so that one load serves all."""
    first, http = date(2026, 1, 1), Canned()
    days = {sample.name: first + timedelta(days=n) for n, sample in enumerate(HOSTILE)}
    for sample in HOSTILE:
        http.answers |= {days[sample.name].isoformat(): body for body in sample.files.values()}
    house = Connected(tmp_path_factory.mktemp("hostile"), spark, FixedClock(NOON), http=http)
    house.declare(THREE, PEOPLE)
    found = {}
    for name, day in days.items():
        failures = house.extract(day)
        found[name] = ("refused" if failures else "accepted", " ".join(str(f.error) for f in failures))
    house.load(first, expect=lambda failures: len(failures) == 1)  # the first day is still refused
    objects = {o.path: o.source_name for m in house.workspace().logs["people"].all() for o in m.objects}
    names = {f"{day.isoformat()}+0001.jsonl.gz": name for name, day in days.items()}
    for row in house.quarantine("people"):
        found[names[objects[row["object"]]]] = ("quarantined", " ".join(row["reasons"]))
    return found


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name)
def test_hostile_answers_end_where_they_must(abused: dict[str, tuple[str, str]], sample: Hostile) -> None:
    outcome, reason = abused[sample.name]

    assert outcome == sample.outcome
    assert sample.says in reason


# Extraction: no Spark


@pytest.mark.parametrize("fault", ["cut", "error", 429, 500, 503])
def test_a_failed_day_is_not_landed_and_the_next_run_asks_again(
    dry: Connected, simtom: SimtomServer, fault: Any
) -> None:
    simtom.fail_next(fault)
    [failure] = dry.extract(THANKSGIVING)

    assert isinstance(failure.error, TransientError)
    assert landed(dry) == []
    assert dry.extract(THANKSGIVING) == []
    assert landed(dry) == ["2024-11-28+0001.jsonl.gz"]


def test_days_before_a_failed_one_stay_landed(dry: Connected, simtom: SimtomServer) -> None:
    dry.declare(PIPELINE.replace("seed: 7", "seed: 7\n      from_day: 2024-11-27"), PAYMENTS)
    assert dry.extract(THANKSGIVING) == []
    simtom.fail_next(500)

    assert [str(f.subject) for f in dry.extract(SATURDAY)] == ["payments"]
    assert [name[:10] for name in landed(dry)] == ["2024-11-27", "2024-11-28"]
    assert dry.extract(SATURDAY) == []
    assert [name[:10] for name in landed(dry)] == ["2024-11-27", "2024-11-28", "2024-11-29", "2024-11-30"]


def test_the_request_names_the_day_its_volume_and_the_seed(dry: Connected, simtom: SimtomServer) -> None:
    dry.extract(THANKSGIVING)
    [body] = simtom.requests

    assert 8 <= body["max_records"] == body["base_daily_volume"] <= 10
    assert (body["start_date"], body["end_date"], body["seed"]) == ("2024-11-28", "2024-11-28", 7)


def test_the_older_service_is_asked_for_a_total_and_must_give_it(dry: Connected, simtom: SimtomServer) -> None:
    older = PIPELINE.replace("seed: 7", 'seed: 7\n      api: total_records\n      body: {label: "day {day}"}')
    dry.declare(older, PAYMENTS)
    simtom.fail_next("short")
    [failure] = dry.extract(SATURDAY)
    dry.extract(SATURDAY)

    assert "2 of 4 records" in str(failure.error)
    assert simtom.requests[0] == {"total_records": 4, "rate_per_second": 1000, "seed": 7, "label": "day 2024-11-30"}


def test_a_landed_day_holds_each_record_as_it_was_received(tmp_path: Path) -> None:
    house = Connected(tmp_path / "h", None, FixedClock(NOON), http=Canned({"2024-11-27": GOLDEN}))  # type: ignore[arg-type]
    house.declare(PIPELINE, PAYMENTS).extract(date(2024, 11, 27))
    [item] = house.workspace().logs["payments"].all()[0].objects
    first = gzip.decompress(house.workspace().objects.read(item.path)).splitlines()[0]

    received = GOLDEN.splitlines()[0].removeprefix(b"data: ")
    volume = b"%d" % json.loads(first)["volume"]
    head = (
        b'{"day": "2024-11-27", "day_type": "weekday", "volume": ' + volume + b', "fetch": 1, "ordinal": 0, "record": '
    )
    assert first == head + received + b"}" and 5 <= int(volume) <= 7


# Pure


def service(http: Any, attempts: int, pauses: list[float], **changes: Any) -> Service:
    retries = Retries(attempts, pause=pauses.append, chance=lambda: 1.0)
    given = {"url": "http://x/s", "method": "POST", "token": "t", "minimum": None, "end_event": None}
    return Service(http, retries, **(given | changes))


def test_transient_failures_are_tried_again_after_longer_and_longer_pauses(simtom: SimtomServer) -> None:
    simtom.fail_next(429, 503, "cut", "short")
    pauses: list[float] = []
    asked = {"max_records": 4, "start_date": "2024-11-27", "end_date": "2024-11-27", "base_daily_volume": 4}
    records = service(SystemHttp(), 5, pauses, url=simtom.url + PATH).day(asked, 4)

    assert [json.loads(r)["transaction_id"] for r in records] == [f"txn_0000000{n}" for n in range(4)]
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_refused_request_is_not_tried_again(simtom: SimtomServer) -> None:
    pauses: list[float] = []

    with pytest.raises(SourceError, match="HTTP 422"):
        service(SystemHttp(), 5, pauses, url=simtom.url + PATH).day({"max_records": "many"}, 4)
    assert pauses == []


def test_a_get_service_is_asked_in_the_query_and_a_token_goes_in_the_header() -> None:
    http = Canned({"": data({"id": "1"})})
    service(http, 1, [], method="GET").day({"day": "2026-03-01", "n": 1}, 1)
    [request] = http.asked

    assert (request.method, request.url, request.body) == ("GET", "http://x/s?day=2026-03-01&n=1", None)
    assert request.headers["Authorization"] == "Bearer t"
    assert "Bearer" not in repr(request)


def test_events_follow_the_standard() -> None:
    stream = b"\xef\xbb\xbf: hello\n\nevent: x\ndata:a\ndata: b\nid: 1\n\ndata\n\n\nretry: 5\n\ndata:  c\n\n"

    assert list(events(stream.split(b"\n")[:-1])) == [Event("x", "a\nb"), Event("message", ""), Event("message", " c")]


@pytest.mark.parametrize("tail", [b"data: {}", b"event: done", b"data", b"da", b"e"])
def test_a_stream_that_ends_inside_an_event_was_cut(tail: bytes) -> None:
    with pytest.raises(TransientError, match="cut"):
        list(events([b"data: {}", b"", tail]))


def test_the_beginning_of_a_fields_name_is_no_field_where_the_stream_goes_on() -> None:
    with pytest.raises(SourceError, match="line 2 of the answer is no server-sent event"):
        list(events([b"data: {}", b"da", b""]))


def test_volumes_lie_in_the_range_of_the_type_of_day_and_never_change() -> None:
    volumes = Volumes(weekday=(5000, 7000), weekend=(3000, 4000), holiday=(8000, 10000), country="US")
    year = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    kinds = {day: volumes.kind_of(day) for day in year}
    figures = {day: volumes.of(day, 7) for day in year}

    assert (kinds[THANKSGIVING], kinds[SATURDAY], kinds[date(2024, 11, 29)]) == ("holiday", "weekend", "weekday")
    assert kinds[date(2024, 12, 25)] == "holiday"
    assert all(getattr(volumes, kinds[d])[0] <= n <= getattr(volumes, kinds[d])[1] for d, n in figures.items())
    assert figures == {day: volumes.of(day, 7) for day in reversed(year)}
    assert len(set(figures.values())) > 200
    assert figures != {day: volumes.of(day, 8) for day in year}


def test_days_to_ask_are_the_missing_ones_and_those_to_be_asked_again() -> None:
    one, two, three = (date(2026, 3, n) for n in (1, 2, 3))

    assert days_to_ask({one: 1}, one, three, {}) == [Asked(two, 1), Asked(three, 1)]
    assert days_to_ask({one: 1, two: 2}, three, three, {one: 1, two: 1, three: 1}) == [Asked(one, 2), Asked(three, 1)]
    assert days_to_ask({one: 1, three: 1}, two, two, {three: 1}) == [Asked(two, 1)]


def test_a_landed_day_is_the_same_bytes_each_time() -> None:
    asked, key = Asked(THANKSGIVING, 1), lambda text: (text,)

    assert as_lines(asked, ['{"a": 1}'], [], key) == as_lines(asked, ['{"a": 1}'], [], key)


def test_the_same_day_of_the_simulation_is_told_the_same_way() -> None:
    body = {"max_records": 50, "start_date": "2024-11-27", "end_date": "2024-11-28", "base_daily_volume": 30, "seed": 1}
    told = [json.loads(r) for r in answered(body)]

    assert told == [json.loads(r) for r in answered(body)]
    assert [r["transaction_id"] for r in told] == [f"txn_{n:08d}" for n in range(50)]
    assert {r["_timestamp"][:10] for r in told} == {"2024-11-27", "2024-11-28"}
    assert told != [json.loads(r) for r in answered(body | {"seed": 2})]


OPTIONS: dict[str, Any] = {
    "volume": {"weekday": [5, 7], "weekend": [3, 4], "holiday": [8, 10], "country": "US"},
}


@pytest.mark.parametrize(
    ("source", "table", "says"),
    [
        ({"connection": None}, {}, "needs `connection:`"),
        ({}, {"key": ["id"]}, r"source: \$day"),
        ({}, {"changes": "partial"}, "whole rows"),
        ({"options": {"volume": OPTIONS["volume"] | {"country": "ZZ"}}}, {}, "no holiday calendar for ZZ"),
        ({"options": {"volume": OPTIONS["volume"] | {"weekend": [4, 3]}}}, {}, "weekend: give"),
    ],
)
def test_options_that_do_not_fit_are_refused(source: dict[str, Any], table: dict[str, Any], says: str) -> None:
    import yaml

    given = {"feed": "http_stream", "connection": "simtom", "options": OPTIONS}

    with pytest.raises(ValueError, match=says):
        HttpStreamFeed().check(Source(**(given | source)), Table(**(yaml.safe_load(PEOPLE) | table)))
