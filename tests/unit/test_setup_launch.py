"""How a driver is launched from what set-up left, and that Java trusts what this machine trusts."""

from __future__ import annotations

import os
import shlex
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from ledgerlake.setup.jars import BUNDLES
from ledgerlake.setup.launch import class_path, launch_environment
from ledgerlake.setup.trust import trust_options


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a tools folder as set-up leaves it, at a path with a blank."""
    folder = tmp_path / "my tools"
    (folder / "jars").mkdir(parents=True)
    for name in (*BUNDLES["core"].pins, *BUNDLES["s3"].pins):
        (folder / "jars" / name).touch()
    (folder / "java_home").write_text("/opt/java17\n")
    return folder


def option(arguments: str, name: str) -> str:
    words = shlex.split(arguments)
    return words[words.index(name) + 1]


def test_jars_lead_the_class_path_so_that_the_archive_covers_them(tools: Path) -> None:
    found = launch_environment(tools, driver_memory="2g")

    jars = option(found["PYSPARK_SUBMIT_ARGS"], "--driver-class-path").split(os.pathsep)
    assert [Path(jar).name for jar in jars] == sorted(BUNDLES["core"].pins)
    assert "--jars" not in found["PYSPARK_SUBMIT_ARGS"]
    assert found["JAVA_HOME"] == "/opt/java17"


def test_jars_for_s3_come_last_and_only_where_the_lake_is_there(tools: Path) -> None:
    without, with_s3 = (
        launch_environment(tools, driver_memory="2g"),
        launch_environment(tools, driver_memory="2g", s3=True),
    )

    assert with_s3["PYSPARK_SUBMIT_ARGS"] == without["PYSPARK_SUBMIT_ARGS"]
    assert without["SPARK_DIST_CLASSPATH"] == ""
    assert with_s3["SPARK_DIST_CLASSPATH"].split(os.pathsep) == [str(jar) for jar in class_path(tools, "s3")]


def test_the_archive_is_used_where_there_is_one(tools: Path) -> None:
    assert "SharedArchiveFile" not in launch_environment(tools, driver_memory="2g")["PYSPARK_SUBMIT_ARGS"]

    (tools / "spark.jsa").touch()
    options = option(launch_environment(tools, driver_memory="2g")["PYSPARK_SUBMIT_ARGS"], "--driver-java-options")

    assert f'"-XX:SharedArchiveFile={tools}/spark.jsa"' in options


def test_before_set_up_nothing_is_claimed(tmp_path: Path) -> None:
    found = launch_environment(tmp_path, driver_memory="2g", java_options=["-Dx=1"])

    assert "JAVA_HOME" not in found
    assert option(found["PYSPARK_SUBMIT_ARGS"], "--driver-java-options") == "-Dx=1"


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.skipif(not ssl.create_default_context().get_ca_certs(), reason="this machine trusts nobody")
def test_java_is_given_the_authorities_this_machine_trusts(tmp_path: Path) -> None:
    options = trust_options(tmp_path)

    store = pkcs12.load_pkcs12((tmp_path / "truststore.p12").read_bytes(), b"changeit")
    assert len(store.additional_certs) > 0
    assert f'"-Djavax.net.ssl.trustStore={tmp_path}/truststore.p12"' in options
