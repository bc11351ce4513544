"""Jars: only the pinned ones are accepted, and every failure to get them says what helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ledgerlake.errors import LedgerlakeError, TerminalError, TransientError
from ledgerlake.setup.jars import BUNDLES, is_complete, sha256, verify
from ledgerlake.setup.resolve import failure_of

LOG = Path("resolve.log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "delta.jar").write_bytes(b"delta")
    return tmp_path


def test_a_folder_with_every_pinned_jar_is_complete(folder: Path) -> None:
    delta = sha256(folder / "delta.jar")

    assert is_complete(folder, {"delta.jar": delta})
    assert not is_complete(folder, {"delta.jar": delta, "storage.jar": delta})
    assert not is_complete(folder, {})


def test_a_changed_jar_is_refused_by_name(folder: Path) -> None:
    pins = {"delta.jar": sha256(folder / "delta.jar")}
    (folder / "delta.jar").write_bytes(b"something else")

    with pytest.raises(TerminalError, match=r"delta\.jar"):
        verify(folder, pins)
    with pytest.raises(TerminalError, match=r"delta\.jar"):
        is_complete(folder, pins)


@pytest.mark.parametrize("name", list(BUNDLES))
def test_every_coordinate_has_a_pinned_jar(name: str) -> None:
    bundle = BUNDLES[name]

    for coordinate in bundle.coordinates:
        group, artifact, version = coordinate.split(":")
        assert f"{group}_{artifact}-{version}.jar" in bundle.pins
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in bundle.pins.values())


@pytest.mark.parametrize(
    ("output", "kind", "says"),
    [
        ("Server access error (java.net.UnknownHostException: repo)", TransientError, "no network"),
        ("Server access error (java.net.ConnectException: refused)", TransientError, "no network"),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", TerminalError, "SSL_CERT_FILE"),
        ("[unresolved dependency: a#b;1: not found]", TerminalError, "a#b;1"),
        ("something unheard of", TerminalError, "resolve.log"),
    ],
)
def test_a_failed_resolution_says_why_and_what_next(output: str, kind: type[LedgerlakeError], says: str) -> None:
    error = failure_of(output, LOG)

    assert type(error) is kind
    assert says in str(error)
