"""One Spark session for all tests, a house for each test that wants a lake, one play of all demos."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from end_to_end.played import Played, play
from house import ACCOUNTS, NOON, SOURCES, House
from hypothesis import HealthCheck, settings
from ledgerlake import discretion
from ledgerlake.config.environment import Environment, SparkSettings
from ledgerlake.demo.demos import NAMES
from ledgerlake.lake.session import start_spark
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.secrets import ReferencedSecrets
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

DEMO_TESTS = {name: f"tests/pipelines/test_{name}.py" for name in NAMES} | {
    "ledgerbox": "tests/end_to_end/test_demo.py"
}
"""Where each demo's tests stand."""
ALL_DEMOS = "tests/pipelines/test_both_engines.py"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share files out among test sessions; those that ask about the demos stay together, for one play serves all."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Sharing(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "demos" if file in {*DEMO_TESTS.values(), ALL_DEMOS} else file

    return Sharing(config, log)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Return the one session of a test run, started as the product starts it, sized for tiny tables."""
    os.environ.setdefault("LEDGERLAKE_TOOLS", str(ROOT / ".tools"))
    scratch = tmp_path_factory.mktemp("spark")
    tiny = {
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # compiling costs more than tiny tables ever win back
        "spark.sql.adaptive.enabled": "false",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.ui.retainedExecutions": "1",
        "spark.ui.retainedJobs": "1",
        "spark.ui.retainedStages": "1",
    }
    sized = SparkSettings(master="local[2]", driver_memory="1g", shuffle_partitions=1, settings=tiny)
    environment = Environment(environment="test", lake=str(scratch), sources=str(scratch), spark=sized)
    session = start_spark(environment, ReferencedSecrets({}), "ledgerlake tests")
    yield session
    session.stop()


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    """Leave the process as it was: commands that are called in it make their files their owner's alone."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide in each test only what it resolved itself: another's user `nobody` is a word in this one's message."""
    monkeypatch.setattr(discretion, "_known", set())


@pytest.fixture
def houses(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], House]]:
    """Return a maker of houses beside each other, for tests that compare two lakes."""

    def build(name: str) -> House:
        return House(tmp_path / name, lambda: request.getfixturevalue("spark"), FixedClock(NOON))

    yield build
    # Delta remembers every table it ever saw, some megabytes each: without this the heap fills up.
    started = SparkSession.getActiveSession()
    if started is not None:
        started._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


@pytest.fixture
def house(houses: Callable[[str], House]) -> House:
    """Return an empty house: declare tables, deliver files, load."""
    return houses("house")


@pytest.fixture
def bank(house: House) -> House:
    """Return a house with one table of accounts, delivered as DMS CSV files."""
    return house.declare(SOURCES, ACCOUNTS)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter: pytest closes its own to all but the caller."""
    with tempfile.TemporaryDirectory(prefix="ledgerlake-tests-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def demos(request: pytest.FixtureRequest, open_folder: Path) -> Played:
    """Every small demo, played once and one after the other by one command; one alone where only its tests were chosen."""
    chosen = {item.nodeid.split("::")[0] for item in request.session.items}
    asked = [name for name, file in DEMO_TESTS.items() if file in chosen]
    return play(open_folder / "demos", asked[0] if len(asked) == 1 and ALL_DEMOS not in chosen else "all")
