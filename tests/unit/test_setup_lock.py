"""The lock files: everything pinned with hashes, and nothing said about where packages come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "emr/requirements.lock", "lib/ledgerlake/setup/java.requirements"]
REQUIREMENT = re.compile(r"^([a-z0-9._-]+)==(\S+) \\$", re.M)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text()

    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]
    assert entries
    for entry in entries:
        assert REQUIREMENT.match(entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host_or_a_folder_of_packages(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert not re.search(r"://|--(?:extra-)?index|--find-links|--trusted-host|^\s*/", text, re.M)


def test_the_cluster_gets_the_same_versions_and_no_spark_of_its_own() -> None:
    everything = dict(REQUIREMENT.findall((ROOT / "requirements.lock").read_text()))
    cluster = dict(REQUIREMENT.findall((ROOT / "emr/requirements.lock").read_text()))

    assert cluster.items() <= everything.items()
    assert "pyspark" in everything
    assert "pyspark" not in cluster
