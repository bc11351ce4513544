"""Leases: one owner at a time, tokens that only grow, and owners that die."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledgerlake.errors import LeaseHeld
from ledgerlake.lake.leases import DURATION, Leases, process_is_gone
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.objects import LocalObjects, ObjectStore


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def leases(tmp_path: Path, clock: FixedClock) -> Leases:
    return Leases(LocalObjects(tmp_path), clock)


def test_two_owners_never_hold_one_lease(leases: Leases) -> None:
    leases.take("t", "one")

    with pytest.raises(LeaseHeld, match="t is being written by run one until 2026-03-01T14:00"):
        leases.take("t", "other")


def test_leases_of_two_tables_do_not_meet(leases: Leases) -> None:
    assert (leases.take("t", "one"), leases.take("u", "other")) == (1, 1)


def test_a_lease_that_was_given_back_can_be_taken_with_a_higher_token(leases: Leases) -> None:
    with leases.hold("t", "one") as token:
        assert leases.still_held("t", token)

    assert leases.take("t", "other") > token


def test_an_expired_lease_can_be_taken_and_fences_its_old_owner(leases: Leases, clock: FixedClock) -> None:
    old = leases.take("t", "one")
    clock.advance(DURATION + timedelta(seconds=1))

    new = leases.take("t", "other")

    assert new > old
    assert (leases.still_held("t", old), leases.still_held("t", new)) == (False, True)


def test_an_old_owner_cannot_give_back_what_is_no_longer_his(leases: Leases, clock: FixedClock) -> None:
    with leases.hold("t", "one"):
        clock.advance(DURATION + timedelta(seconds=1))
        new = leases.take("t", "other")

    assert leases.still_held("t", new)


def test_a_lease_of_a_dead_process_is_taken_over_at_once(tmp_path: Path, clock: FixedClock) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    dead = f"{socket.gethostname()}/{ended.pid}"
    leases = Leases(LocalObjects(tmp_path), clock, process_is_gone)
    first = leases.take("t", dead)

    assert leases.take("t", "other") > first


@pytest.mark.parametrize(
    "owner",
    [f"{socket.gethostname()}/{os.getpid()}", f"{socket.gethostname()}/1", "elsewhere/999999999", "00f5job"],
    ids=["this process", "process 1", "another machine", "a cluster's job"],
)
def test_a_living_or_foreign_owner_is_not_taken_for_dead(owner: str) -> None:
    assert not process_is_gone(owner)


class Raced(LocalObjects):
    """A store in which somebody else writes the same object just before."""

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        super().write(path, body.replace(b'"one"', b'"faster"'), if_absent=if_absent)
        return super().write(path, body, if_absent=if_absent)


def test_of_two_that_take_at_the_same_moment_one_loses(tmp_path: Path, clock: FixedClock) -> None:
    store: ObjectStore = Raced(tmp_path)

    with pytest.raises(LeaseHeld, match="another run took t at this moment"):
        Leases(store, clock).take("t", "one")
    assert (Leases(store, clock).current("t") or ())[1] == "faster"


def test_the_hundredth_token_is_newer_than_the_ninth(leases: Leases) -> None:
    for _ in range(50):
        with leases.hold("t", "one") as token:
            pass

    assert token == 99
