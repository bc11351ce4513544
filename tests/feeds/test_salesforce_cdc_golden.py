"""Salesforce change events: golden samples in the shapes of CometD and the Pub/Sub API, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from house import DAY, NOON, House, rows_of
from ledgerlake.config.environment import Environment
from ledgerlake.config.models import Source, Table
from ledgerlake.errors import ConfigError, SourceError, TransientError
from ledgerlake.feeds.salesforce.events import Refetch, decoded, examine, order_of
from ledgerlake.feeds.salesforce.feed import SalesforceFeed
from ledgerlake.feeds.salesforce.refetch import Org as Client
from ledgerlake.feeds.salesforce.refetch import rest_field
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.http import Retries, SystemHttp
from ledgerlake.testing.salesforce_cdc import HOSTILE, PERSON, event
from ledgerlake.testing.samples import Hostile
from pyspark.sql import SparkSession
from salesforce_server import TOKEN, Org

PIPELINE = """
pipeline: bank
sources:
  crm: {feed: salesforce_cdc, location: crm}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
CONNECTED = PIPELINE.replace("location: crm", "location: crm, connection: crm, options: {attempts: 1}")
ACCOUNTS = """
table: accounts
source: crm
resource: account
key: [id]
changes: partial
feed:
  object: Account
  field_order:
    - ChangeEventHeader
    - Name
    - BillingAddress: [Street, City, State]
    - AnnualRevenue
    - NumberOfEmployees
    - Description
    - LastModifiedDate
columns:
  - {name: id, source: Id, type: string, nullable: false}
  - {name: name, source: Name, type: string}
  - {name: city, source: BillingAddress.City, type: string}
  - {name: state, source: BillingAddress.State, type: string}
  - {name: revenue, source: AnnualRevenue, type: "decimal(18,2)"}
  - {name: modified_at, source: LastModifiedDate, type: timestamp}
  - {name: notes, source: Description, type: string}
"""
PEOPLE = """
table: people
source: crm
resource: person
key: [id]
changes: partial
feed: {object: Person__c}
columns:
  - {name: id, source: Id, type: string, nullable: false}
  - {name: owner, source: Owner__c, type: string}
  - {name: city, source: City__c, type: string}
"""
A, B, C, D, E, F, G, H = (f"0015f00002JUXA{letter}AAP" for letter in "ABCDEFGH")


def header(kind: str, commit: int, *ids: str, sequence: int = 1, **more: Any) -> dict[str, Any]:
    given = {
        "entityName": "Account", "recordIds": list(ids), "changeType": kind, "changeOrigin": "", "commitUser": "005",
        "transactionKey": f"00006bec-{commit}", "sequenceNumber": sequence, "commitTimestamp": 1714156685000,
        "commitNumber": commit,
    }  # fmt: skip
    return given | more


def cometd(replay: int, head: dict[str, Any], **fields: Any) -> bytes:
    """Only changed fields are present; the message has its channel around it."""
    data = {"schema": "Jx8Hz", "payload": {"ChangeEventHeader": head, **fields}, "event": {"replayId": replay}}
    return json.dumps({"data": data, "channel": "/data/AccountChangeEvent"}).encode() + b"\n"


def pubsub(head: dict[str, Any], **fields: Any) -> bytes:
    """Every field of the schema is present, null where it did not change."""
    lists = {"nulledFields": [], "diffFields": [], "changedFields": []}
    every = dict.fromkeys(
        ("Name", "BillingAddress", "AnnualRevenue", "NumberOfEmployees", "Description", "LastModifiedDate")
    )
    return json.dumps({"ChangeEventHeader": lists | head, **every, **fields}).encode() + b"\n"


def address(**parts: str) -> dict[str, str | None]:
    return {"Street": None, "City": None, "State": None} | parts


WHEN = "2024-04-26T18:38:05.000Z"
COMETD = b"".join([
    cometd(7, header("CREATE", 10, A), Name="Acme", BillingAddress={"City": "Paris", "State": "TX"}, AnnualRevenue=1234567890123.45, LastModifiedDate=WHEN),
    cometd(8, header("UPDATE", 11, A, changedFields=["BillingAddress.City", "LastModifiedDate"]), BillingAddress={"City": "Lyon"}, LastModifiedDate=WHEN),
    cometd(9, header("UPDATE", 12, A, changedFields=["AnnualRevenue"]), AnnualRevenue=None),
    cometd(20, header("CREATE", 20, B), Name="Old", BillingAddress={"City": "Rome"}),
    cometd(21, header("UPDATE", 21, B), Name="New", BillingAddress={"State": "RM"}),
    cometd(33, header("DELETE", 31, C)),
    cometd(32, header("UNDELETE", 32, C), Name="Back"),
    cometd(31, header("CREATE", 30, C), Name="First"),
    cometd(40, header("CREATE", 40, D), Name="Twice"),
    cometd(41, header("CREATE", 41, D), Name="Twice"),
])  # fmt: skip
PUBSUB = b"".join([
    pubsub(header("CREATE", 50, E), Name="Eve", BillingAddress=address(City="Ulm", State="BW"), AnnualRevenue=5.5, LastModifiedDate=1714156685000),
    pubsub(header("UPDATE", 51, E, changedFields=["0x42", "2-0x02"], nulledFields=["0x08"]), Name="Eva", BillingAddress=address(City="Bonn"), LastModifiedDate=1714156686123),
    pubsub(header("CREATE", 52, F, G, H), Name="Same", Description="x"),
    pubsub(header("UPDATE", 53, F, G, changedFields=["Name", "Description"], nulledFields=["Description"]), Name="Other"),
    pubsub(header("DELETE", 53, H, sequence=2)),
    pubsub(header("UPDATE", 52, H, sequence=9, changedFields=["Name"]), Name="too late"),
])  # fmt: skip


@dataclass
class Salesforce(House):
    """A house that is connected to an org."""

    url: str = ""

    @property
    def environment(self) -> Environment:
        crm = {"base_url": self.url, "access_token": "env:CRM_TOKEN"}
        return super().environment.model_copy(update={"connections": {"crm": crm}})


@pytest.fixture
def org() -> Iterator[Org]:
    with Org().running() as org:
        yield org


@pytest.fixture
def connected(tmp_path: Path, spark: SparkSession, org: Org) -> Salesforce:
    secrets = {"CRM_TOKEN": TOKEN}
    house = Salesforce(tmp_path / "sf", spark, FixedClock(NOON), secrets=secrets, url=org.url)
    house.declare(CONNECTED, ACCOUNTS)
    return house


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> dict[str, tuple[Any, ...]]:
    """Return the accounts by id after one load of both forms."""
    house = House(tmp_path_factory.mktemp("golden"), spark, FixedClock(NOON)).declare(PIPELINE, ACCOUNTS)
    house.deliver("crm/account/dt=2026-03-01/events+0+000.jsonl", COMETD).deliver("crm/account/p.jsonl", PUBSUB)
    house.load()
    assert house.reasons() == []
    return {row[0]: row[1:] for row in rows_of(house.silver("accounts"))}


def test_a_cometd_update_sets_only_the_fields_it_lists_and_clears_what_it_nulls(golden: dict[str, Any]) -> None:
    assert golden[A] == ("Acme", "Lyon", "TX", None, "2024-04-26 18:38:05", None)


def test_a_cometd_update_without_a_list_sets_the_fields_that_are_present(golden: dict[str, Any]) -> None:
    assert golden[B] == ("New", "Rome", "RM", None, None, None)


def test_an_undelete_with_a_lower_replay_id_than_the_delete_brings_the_record_back(golden: dict[str, Any]) -> None:
    assert golden[C][0] == "Back"


def test_a_repeated_create_leaves_one_row(golden: dict[str, Any]) -> None:
    assert golden[D][0] == "Twice"


def test_bitmaps_name_fields_and_components_by_their_place_in_the_schema(golden: dict[str, Any]) -> None:
    assert golden[E] == ("Eva", "Bonn", "BW", None, "2024-04-26 18:38:06.123000", None)


def test_one_event_of_many_records_changes_each_of_them(golden: dict[str, Any]) -> None:
    assert golden[F] == golden[G] == ("Other", None, None, None, None, None)


def test_a_late_update_of_a_deleted_record_does_not_bring_it_back(golden: dict[str, Any]) -> None:
    assert H not in golden


@pytest.fixture(scope="module")
def abused(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> House:
    """Return a house to which every hostile sample was delivered, each in a folder of its own."""
    house = House(tmp_path_factory.mktemp("hostile"), spark, FixedClock(NOON)).declare(PIPELINE, PEOPLE)
    for sample in HOSTILE:
        for path, body in sample.files.items():
            house.deliver(f"crm/person/{sample.name}/{path}", body)
    house.load()
    return house


@pytest.mark.parametrize("sample", HOSTILE, ids=lambda s: s.name)
def test_hostile_events_end_where_they_must(abused: House, sample: Hostile) -> None:
    manifest = abused.workspace().logs["people"].all()[0]
    refused = {r.source_name: r.reason for r in manifest.refused}
    landed = {o.source_name: o.path for o in manifest.objects}
    reasons = {row["object"]: " ".join(row["reasons"]) for row in abused.quarantine("people")}
    for path in sample.files:
        name = f"person/{sample.name}/{path}"
        found = "refused" if name in refused else "quarantined" if landed[name] in reasons else "accepted"
        assert found == sample.outcome
        assert sample.says in {**refused, **{n: reasons.get(p, "") for n, p in landed.items()}}[name]


def gap(kind: str, commit: int, *ids: str) -> bytes:
    return pubsub(header(kind, commit, *ids))


def record(name: str, city: str, revenue: float | None = None) -> dict[str, Any]:
    return {
        "Name": name, "BillingCity": city, "BillingState": None, "AnnualRevenue": revenue, "Description": None,
        "LastModifiedDate": "2024-04-26T18:38:05.000+0000",
    }  # fmt: skip


def test_gaps_are_fetched_rank_above_their_event_and_a_record_that_is_gone_is_deleted(
    connected: Salesforce, org: Org
) -> None:
    org.records = {A: {"Id": A} | record("Fetched", "Oslo", 12345678901234.56)}
    events = [
        pubsub(header("CREATE", 1, A, B), Name="Old", BillingAddress=address(City="Rome")), gap("GAP_UPDATE", 2, A, B),
        pubsub(header("UPDATE", 1, A, sequence=2, changedFields=["Name"]), Name="older than the gap"),
        pubsub(header("UPDATE", 3, A, changedFields=["BillingAddress.City"]), BillingAddress=address(City="Bergen")),
    ]  # fmt: skip
    connected.deliver("crm/account/1.jsonl", b"".join(events)).load()

    assert rows_of(connected.silver("accounts")) == [
        (A, "Fetched", "Bergen", None, "12345678901234.56", "2024-04-26 18:38:05", None)
    ]
    connected.deliver("crm/account/2.jsonl", gap("GAP_UPDATE", 2, A, B)).load()
    assert len(org.queries) == 1, "a gap event that is delivered again asks nothing"


def test_a_request_that_salesforce_does_not_answer_waits_and_the_table_goes_on(connected: Salesforce, org: Org) -> None:
    org.records, org.faults = {A: {"Id": A} | record("Fetched", "Oslo")}, [500]
    created = pubsub(header("CREATE", 1, A), Name="Old")
    connected.deliver("crm/account/1.jsonl", created + gap("GAP_UPDATE", 2, A)).load()

    assert rows_of(connected.silver("accounts"))[0][1] == "Old"
    log = connected.workspace().logs["accounts"]
    assert log.latest_cursor()["refetch"] == [[order_of(2, 1), A, "GAP_UPDATE"]]

    connected.load()

    assert rows_of(connected.silver("accounts"))[0][1] == "Fetched"
    assert connected.workspace().logs["accounts"].latest_cursor()["refetch"] == []


def test_a_run_fetches_what_waits_even_when_no_file_is_new(connected: Salesforce, org: Org) -> None:
    org.faults = [429]
    connected.deliver("crm/account/1.jsonl", gap("GAP_CREATE", 2, A))
    waiting = connected.run()
    org.records = {A: {"Id": A} | record("Fetched", "Oslo")}
    again = connected.run()

    assert [waiting.error, again.error] == [None, None]
    assert rows_of(connected.silver("accounts"))[0][1] == "Fetched"
    assert connected.run().status == "unchanged"


def raw(house: House, table: str, index: int = -1) -> list[tuple[Any, ...]]:
    """Return the raw changes of a manifest as (op, id, rank)."""
    from ledgerlake.feeds.base import Reading

    workspace = house.workspace()
    source = workspace.pipeline.spec.sources["crm"]
    manifest = workspace.logs[table].all()[index]
    reading = Reading(workspace.table(table), manifest.objects, workspace.objects, source.options)
    found = SalesforceFeed().read(workspace.engines, reading).select("_op", "id", "split_part(_position, '|', 3) AS rank")
    return sorted(tuple(r.values()) for r in workspace.engines.rows(found))


@pytest.mark.parametrize(
    "event_", [gap("GAP_OVERFLOW", 9, "000000000000000AAA"), gap("UPDATE", 9, "001*")], ids=["overflow", "wildcard"]
)
def test_an_event_that_stands_for_many_records_resyncs_the_object(
    connected: Salesforce, org: Org, event_: bytes
) -> None:
    org.records = {i: {"Id": i} | record(i, "Oslo") for i in (A, B, C)}
    connected.deliver("crm/account/1.jsonl", event_).extract()

    assert raw(connected, "accounts") == [
        ("truncate", None, "000002"), ("upsert", A, "000003"), ("upsert", B, "000003"), ("upsert", C, "000003"),
    ]  # fmt: skip


def test_after_an_overflow_the_table_is_what_salesforce_holds_and_later_events_go_on(
    connected: Salesforce, org: Org
) -> None:
    created = pubsub(header("CREATE", 1, A, B), Name="Old", BillingAddress=address(City="Rome"))
    connected.deliver("crm/account/1.jsonl", created).load()
    org.records = {i: {"Id": i} | record(i, "Oslo") for i in (B, C, D)}
    later = pubsub(header("UPDATE", 10, C, changedFields=["Name"]), Name="Later")
    late = pubsub(header("UPDATE", 8, B, changedFields=["Name"]), Name="before the overflow")
    connected.deliver("crm/account/2.jsonl", gap("GAP_OVERFLOW", 9, "000000000000000AAA") + later).load()
    connected.deliver("crm/account/3.jsonl", late + created).load()

    assert [row[:3] for row in rows_of(connected.silver("accounts"))] == [
        (B, B, "Oslo"), (C, "Later", "Oslo"), (D, D, "Oslo"),
    ]  # fmt: skip


def test_a_declared_resync_asks_once_for_each_word(connected: Salesforce, org: Org) -> None:
    (connected.root / "sources/crm").mkdir(parents=True)
    for word in ("first", "first", "after the outage"):
        connected.declare(CONNECTED, ACCOUNTS.replace("object: Account", f"object: Account\n  resync: {word}"))
        assert connected.extract() == []

    assert len(org.queries) == 2
    assert raw(connected, "accounts", 1) == [("truncate", None, "000004")]


def test_a_long_text_sent_as_a_difference_is_fetched_whole(connected: Salesforce, org: Org) -> None:
    org.records = {A: {"Id": A} | record("Fetched", "Oslo") | {"Description": "the whole text"}}
    events = [
        pubsub(header("CREATE", 1, A), Name="Ann", Description="the text"),
        pubsub(header("UPDATE", 2, A, changedFields=["0x22"], diffFields=["0x20"]), Name="Ann", Description="@@ -1 +1 @@"),
    ]  # fmt: skip
    connected.deliver("crm/account/1.jsonl", b"".join(events)).load()

    assert rows_of(connected.silver("accounts"))[0][-1] == "the whole text"


def test_gap_events_without_a_connection_stop_the_table(house: House) -> None:
    house.declare(PIPELINE, ACCOUNTS).deliver("crm/account/1.jsonl", gap("GAP_CREATE", 2, A))
    [failure] = house.extract()

    assert isinstance(failure.error, SourceError)
    assert "declare `connection:`" in str(failure.error)
    assert house.workspace().logs["accounts"].all() == []


def test_a_refused_token_stops_the_table(connected: Salesforce) -> None:
    connected.secrets["CRM_TOKEN"] = "expired"
    [failure] = connected.deliver("crm/account/1.jsonl", gap("GAP_CREATE", 2, A)).extract()

    assert isinstance(failure.error, ConfigError)
    assert "expired" not in str(failure.error)


def test_other_objects_in_a_shared_channel_are_passed_over(house: House) -> None:
    own = ACCOUNTS.replace("object: Account", "object: Account\n  shared_channel: true")
    other = cometd(1, header("CREATE", 1, A, entityName="Contact")) + gap("GAP_CREATE", 3, A).replace(
        b"Account", b"Lead"
    )
    house.declare(PIPELINE, own).deliver("crm/account/1.jsonl", other + cometd(2, header("CREATE", 2, B), Name="Bob"))
    [batch] = house.load()

    assert (batch["read"], batch["applied"]) == (1, 1)


# Pure: no Spark, no files.


@pytest.fixture
def client(org: Org) -> Callable[[int], Client]:
    return lambda attempts: Client(SystemHttp(), Retries(attempts, pause=lambda _: None), org.url, TOKEN, "62.0")


@pytest.mark.parametrize("fault", [429, 500, "cut"])
def test_a_fault_is_tried_again_and_given_up_after_the_last_attempt(
    org: Org, client: Callable[[int], Client], fault: Any
) -> None:
    org.records = {i: {"Id": i} for i in (A, B, C)}
    org.faults = [None, fault]

    assert [r["Id"] for r in client(2).query("SELECT Id FROM Account")] == [A, B, C]

    org.faults = [fault, fault]
    with pytest.raises(TransientError):
        client(2).query("SELECT Id FROM Account")


def test_an_answer_with_fewer_records_than_promised_is_no_answer(org: Org, client: Callable[[int], Client]) -> None:
    org.records, org.faults = {A: {"Id": A}}, ["short"]

    with pytest.raises(TransientError, match="1 of 2 records"):
        client(1).query("SELECT Id FROM Account")


def test_bitmaps_are_read_lowest_bit_first_and_components_below_their_parent() -> None:
    order = ["ChangeEventHeader", "Name", {"BillingAddress": ["Street", "City"]}, "Phone"]

    assert decoded(["0x0A", "2-0x2"], order) == ["Name", "Phone", "BillingAddress.City"]
    assert decoded(["Name", "BillingAddress.City"], ()) == ["Name", "BillingAddress.City"]
    for unknown in ("0x10", "2-0x4", "9-0x1", "1-0x1"):
        with pytest.raises(SourceError, match="the schema has changed"):
            decoded([unknown], order)


def test_a_schema_with_other_fields_than_declared_refuses_the_object() -> None:
    line = pubsub(header("UPDATE", 1, A, changedFields=["0x02"]), Name="Ann", Added__c=None)
    own = SalesforceFeed.table_options(**_table()["feed"])

    with pytest.raises(SourceError, match="the schema has changed"):
        examine("1.jsonl", line, "Account", own.field_order, ["Name"])  # type: ignore[attr-defined]


def test_a_gap_event_asks_for_each_of_its_records() -> None:
    found = examine("1.jsonl", gap("GAP_DELETE", 5, A, B), "Account", (), ["Name"])

    assert found.refetches == (
        Refetch(order_of(5, 1) or "", A, "GAP_DELETE"),
        Refetch(order_of(5, 1) or "", B, "GAP_DELETE"),
    )


def test_orders_compare_as_their_numbers_do() -> None:
    pairs = [(9, 9), (10, 1), (10, 2), (10426208028536, 1), (1722538187363508200, 1)]

    assert sorted(str(order_of(*p)) for p in reversed(pairs)) == [order_of(*p) for p in pairs]
    assert order_of(None, 1) is order_of(1, -1) is order_of("1e3", 1) is None


def test_components_have_the_names_of_the_record() -> None:
    paths = ["Phone", "BillingAddress.StateCode", "Name.LastName", "Address.City", "Place__c.Latitude", "Odd.Part"]
    names = [rest_field(p, {"Odd.Part": "OddPart"}) for p in paths]

    assert names == ["Phone", "BillingStateCode", "LastName", "City", "Place__Latitude__s", "OddPart"]
    with pytest.raises(SourceError, match="rest_fields"):
        rest_field("Odd.Part", {})


def _table() -> dict[str, Any]:
    import yaml

    return dict(yaml.safe_load(ACCOUNTS))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"changes": "whole"}, "changes: partial"),
        ({"key": ["name"]}, "source: Id"),
        ({"feed": {"object": "Account", "field_order": ["Name"]}}, "ChangeEventHeader comes first"),
        ({"feed": {"object": "Account", "field_order": ["ChangeEventHeader", {"Name": ["LastName"]}]}}, "compound fields"),
        ({"feed": {"object": "Account", "resync": "now"}}, "needs `connection:`"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(change: dict[str, Any], says: str) -> None:
    table = Table(**(_table() | change))

    with pytest.raises(ValueError, match=says):
        SalesforceFeed().check(Source(feed="salesforce_cdc", location="crm"), table)


def test_a_file_of_another_day_waits_for_its_day(house: House) -> None:
    house.declare(PIPELINE, PEOPLE).deliver("crm/person/dt=2026-03-02/1.jsonl", event(Owner__c="Ann"))
    house.extract()
    assert house.workspace().logs["people"].all() == []

    house.load(DAY + timedelta(days=1))
    assert rows_of(house.silver("people")) == [(PERSON, "Ann", None)]
