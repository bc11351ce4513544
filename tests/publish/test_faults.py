"""What happens when the network goes, at each place of the commit; nothing is patched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from conftest import Warehouse
from cutting_proxy import CuttingProxy
from ledgerlake.errors import TransientError
from ledgerlake.ports.snowflake import SnowflakeConnection
from ledgerlake.publish import SnowflakePublisher

DAY = date(2026, 1, 1)
OLD = [("old", DAY, Decimal("5.00"), 5)]
NEW = [("a", DAY, Decimal("1.10"), 1), ("b", DAY, Decimal("2.20"), 2)]
Fragile = Callable[[int], SnowflakePublisher]
# the connector cancels a timed-out statement from a thread of its own, which the outage hits too
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(autouse=True)
def _published_before(warehouse: Warehouse) -> None:
    warehouse.publisher().publish(warehouse.publication(warehouse.slice(OLD, "2026-01-01"), name="before"))


@pytest.mark.parametrize(
    ("statement", "forward"),
    [
        ("PUT 'file", False),
        ("COPY INTO", True),
        ('"BEGIN"', True),
        ("DELETE FROM", False),
        ("INSERT INTO", False),
        ("INSERT INTO", True),
    ],
)
def test_an_outage_before_the_commit_changes_nothing_and_the_next_attempt_succeeds(
    warehouse: Warehouse, proxy: CuttingProxy, statement: str, forward: bool
) -> None:
    seen: list[object] = []

    def back_off(_: float) -> None:
        seen.append([row[0] for row in warehouse.invoices()])
        proxy.heal()

    proxy.cut(statement, forward=forward)
    connect = warehouse.connect(port=proxy.port, network_timeout=1, login_timeout=1)
    publisher = SnowflakePublisher(connect, warehouse.target, warehouse.clock, sleep=back_off)

    outcome = publisher.publish(warehouse.publication(warehouse.slice(NEW, "2026-01-01")))

    assert (proxy.cuts, outcome.status, seen) == (1, "published", [["old"]])
    assert [row[0] for row in warehouse.invoices()] == ["a", "b"]
    assert len(warehouse.publisher().published("billing")) == 2
    assert warehouse.leftovers() == []


def test_a_commit_that_never_arrived_is_repeated_from_the_start(
    warehouse: Warehouse, proxy: CuttingProxy, fragile: Fragile
) -> None:
    proxy.cut('"COMMIT"', forward=False)

    outcome = fragile(2).publish(warehouse.publication(warehouse.slice(NEW, "2026-01-01")))

    assert (proxy.cuts, outcome.status) == (1, "published")
    assert [row[0] for row in warehouse.invoices()] == ["a", "b"]


def test_an_outage_that_lasts_is_reported_and_a_later_call_succeeds(
    warehouse: Warehouse, proxy: CuttingProxy, fragile: Fragile
) -> None:
    publication = warehouse.publication(warehouse.slice(NEW, "2026-01-01"))
    proxy.cut("COPY INTO", forward=False)

    with pytest.raises(TransientError, match="copy from the stage"):
        fragile(1).publish(publication)

    assert [row[0] for row in warehouse.invoices()] == ["old"]
    assert warehouse.publisher().publish(publication).status == "published"
    assert [row[0] for row in warehouse.invoices()] == ["a", "b"]
    assert warehouse.leftovers() == []


def test_a_commit_whose_answer_is_lost_is_found_in_the_ledger(
    warehouse: Warehouse, proxy: CuttingProxy, fragile: Fragile
) -> None:
    publication = warehouse.publication(warehouse.slice(NEW, "2026-01-01"))
    proxy.cut('"COMMIT"', forward=True)

    with pytest.raises(TransientError):  # the outage outlasts the look into the ledger too
        fragile(1).publish(publication)

    assert [row[0] for row in warehouse.invoices()] == ["a", "b"]
    proxy.heal()
    assert fragile(1).publish(publication).status == "already_published"
    assert len(warehouse.publisher().published("billing")) == 2


def test_a_lost_commit_answer_is_settled_at_once_where_the_ledger_can_be_read(
    warehouse: Warehouse, proxy: CuttingProxy
) -> None:
    through_proxy = warehouse.connect(port=proxy.port, network_timeout=1, login_timeout=1)

    def connect() -> SnowflakeConnection:
        proxy.heal()  # whoever opens a new session finds the network back
        return through_proxy()

    proxy.cut('"COMMIT"', forward=True)

    outcome = warehouse.publisher(connect).publish(warehouse.publication(warehouse.slice(NEW, "2026-01-01")))

    assert (proxy.cuts, outcome.status) == (1, "published")
    assert [row[0] for row in warehouse.invoices()] == ["a", "b"]


def test_a_cut_after_the_commit_leaves_the_publication_published(
    warehouse: Warehouse, proxy: CuttingProxy, fragile: Fragile
) -> None:
    proxy.cut("DROP TABLE", forward=False)

    outcome = fragile(1).publish(warehouse.publication(warehouse.slice(NEW, "2026-01-01")))

    assert (proxy.cuts, outcome.status) == (1, "published")
    assert [row[0] for row in warehouse.invoices()] == ["a", "b"]


def test_an_unreachable_warehouse_is_a_transient_error_that_shows_no_login(
    warehouse: Warehouse,
) -> None:
    nowhere = warehouse.connect(port=1, login_timeout=1, network_timeout=1, password="hunter2")

    with pytest.raises(TransientError) as caught:
        warehouse.publisher(nowhere).publish(warehouse.publication())

    assert "hunter2" not in str(caught.value)
