"""Leases: one attempt at a time, tokens that only grow, holders that sleep, die, or never heard their answer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledgerlake.errors import LeaseHeld, LeaseLost, TransientError
from ledgerlake.lake.attempt import Attempt, this_attempt
from ledgerlake.lake.fence import Fence
from ledgerlake.lake.leases import DURATION, Leases
from ledgerlake.ports.clock import FixedClock
from ledgerlake.ports.objects import LocalObjects, ObjectStore

ELSEWHERE = Attempt({"host": "vm", "pid": 1, "started": "1", "boot": "", "pids": "pid:[1]", "job": ""})
LATER = DURATION + timedelta(seconds=1)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return LocalObjects(tmp_path)


def leases(store: ObjectStore, clock: FixedClock, attempt: Attempt = ELSEWHERE) -> Leases:
    return Leases(store, clock, attempt, sleep=lambda _: clock.advance(timedelta(seconds=5)))


def test_two_attempts_never_hold_one_lease(store: ObjectStore, clock: FixedClock) -> None:
    leases(store, clock).take("t")

    with pytest.raises(LeaseHeld, match=r"t is being written by another run \(process 1 on vm\) until 2026-03-01T12:01:30"):
        leases(store, clock).take("t")


def test_an_attempt_does_not_take_what_it_holds_itself(store: ObjectStore, clock: FixedClock) -> None:
    own = leases(store, clock)
    own.take("t")

    with pytest.raises(LeaseHeld):
        own.take("t")


def test_two_containers_of_one_name_and_process_id_do_not_share_a_lease(store: ObjectStore, clock: FixedClock) -> None:
    """Both are ``vm/1``: what tells them apart is the id of the attempt, and their namespaces of process ids."""
    twin = Attempt(dict(ELSEWHERE.facts) | {"boot": "b", "pids": "pid:[2]"})
    leases(store, clock, twin).take("t")

    with pytest.raises(LeaseHeld):
        leases(store, clock).take("t")


def test_leases_of_two_pipelines_do_not_meet(store: ObjectStore, clock: FixedClock) -> None:
    assert (leases(store, clock).take("t").token, leases(store, clock).take("u").token) == (1, 1)


def test_a_lease_that_was_given_back_can_be_taken_with_a_higher_token(store: ObjectStore, clock: FixedClock) -> None:
    with leases(store, clock).hold("t") as lease:
        lease.check(surely=True)

    assert leases(store, clock).take("t").token > lease.token


def test_an_expired_lease_can_be_taken_and_fences_its_old_holder(store: ObjectStore, clock: FixedClock) -> None:
    old = leases(store, clock).take("t")
    clock.advance(LATER)

    new = leases(store, clock).take("t")

    assert new.token > old.token
    new.check(surely=True)
    with pytest.raises(LeaseLost, match="the lease of t was lost"):
        old.check()
    with pytest.raises(LeaseLost):  # for good
        old.check()


def test_a_holder_that_slept_goes_on_where_nobody_took_its_place(store: ObjectStore, clock: FixedClock) -> None:
    lease = leases(store, clock).take("t")
    clock.advance(timedelta(hours=2))

    lease.check()

    with pytest.raises(LeaseHeld, match="until 2026-03-01T14:01:30"):
        leases(store, clock).take("t")


def test_a_lease_is_renewed_while_the_work_goes_on(store: ObjectStore, clock: FixedClock) -> None:
    lease = leases(store, clock).take("t")
    for _ in range(20):
        clock.advance(timedelta(seconds=60))
        lease.check(surely=True)

    with pytest.raises(LeaseHeld):
        leases(store, clock).take("t")


def test_renewing_ends_with_the_work(store: ObjectStore, clock: FixedClock) -> None:
    before = threading.active_count()
    with leases(store, clock).hold("t"):
        assert threading.active_count() == before + 1

    assert threading.active_count() == before


def test_an_old_holder_cannot_give_back_what_is_no_longer_his(store: ObjectStore, clock: FixedClock) -> None:
    with leases(store, clock).hold("t"):
        clock.advance(LATER)
        new = leases(store, clock).take("t")

    new.check(surely=True)


def test_a_fence_stays_closed_behind_a_lost_lease(store: ObjectStore, clock: FixedClock) -> None:
    fence = Fence()
    with pytest.raises(LeaseLost), leases(store, clock).hold("t") as lease, fence.guarded_by(lease):
        clock.advance(LATER)
        leases(store, clock).take("t")
        fence.check()

    with pytest.raises(LeaseLost):
        fence.check()


def test_a_fence_is_open_again_after_work_that_ended_well_or_ill(store: ObjectStore, clock: FixedClock) -> None:
    fence = Fence()
    with leases(store, clock).hold("t") as lease, fence.guarded_by(lease):
        pass
    with pytest.raises(ValueError, match="ill"), leases(store, clock).hold("t") as lease, fence.guarded_by(lease):
        raise ValueError("ill")

    fence.check()


def ended_process() -> Attempt:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return Attempt(dict(this_attempt().facts) | {"pid": ended.pid, "started": "12345"})


def test_a_lease_of_a_dead_process_beside_this_one_is_taken_over_at_once(store: ObjectStore, clock: FixedClock) -> None:
    first = leases(store, clock, ended_process()).take("t")

    assert leases(store, clock, this_attempt()).take("t").token > first.token


@pytest.mark.parametrize("differs", ["boot", "pids"])
def test_a_process_of_another_machine_or_namespace_is_not_taken_for_dead(
    store: ObjectStore, clock: FixedClock, differs: str
) -> None:
    leases(store, clock, Attempt(dict(ended_process().facts) | {differs: "another"})).take("t")

    with pytest.raises(LeaseHeld):
        leases(store, clock, this_attempt()).take("t")


def test_a_process_id_that_was_given_out_again_is_another_process() -> None:
    reused = dict(this_attempt().facts) | {"started": "1"}

    assert this_attempt().is_gone(reused)
    assert not this_attempt().is_gone(this_attempt().facts)


def test_a_service_that_tries_a_job_again_waits_for_its_former_attempt(store: ObjectStore, clock: FixedClock) -> None:
    job = Attempt(dict(ELSEWHERE.facts) | {"job": "00f5job"})
    started, first = clock.now(), leases(store, clock, job).take("t")

    second = leases(store, clock, Attempt(dict(job.facts) | {"pids": "pid:[2]"})).take("t")

    assert second.token == first.token + 1
    assert DURATION <= clock.now() - started <= DURATION + timedelta(seconds=10)


class Raced(LocalObjects):
    """A store in which another attempt writes the same object just before."""

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        if if_absent:
            super().write(path, body.replace(b'"owner": "', b'"owner": "faster-'), if_absent=True)
        return super().write(path, body, if_absent=if_absent)


def test_of_two_that_take_at_the_same_moment_one_loses(tmp_path: Path, clock: FixedClock) -> None:
    with pytest.raises(LeaseHeld, match="another run took t at this moment"):
        leases(Raced(tmp_path), clock).take("t")
    held = leases(LocalObjects(tmp_path), clock).current("t")
    assert held is not None and held.owner.startswith("faster-")


class LosesAnswers(LocalObjects):
    """A store that writes, and whose answer is lost; or that is asked twice and refuses the second time."""

    answers: list[Exception | bool]

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        written = super().write(path, body, if_absent=if_absent)
        answer = self.answers.pop() if self.answers else written
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("answer", [TransientError("the connection was cut"), False], ids=["lost", "refused on retry"])
def test_a_lease_whose_answer_was_lost_belongs_to_its_writer(
    tmp_path: Path, clock: FixedClock, answer: Exception | bool
) -> None:
    store = LosesAnswers(tmp_path)
    store.answers = [answer]

    lease = leases(store, clock).take("t")

    lease.check(surely=True)
    with pytest.raises(LeaseHeld):
        leases(store, clock).take("t")


class NeverWrites(LocalObjects):
    """A store that is out of reach for writes."""

    def write(self, path: str, body: bytes, *, if_absent: bool = False) -> bool:
        raise TransientError("the connection was cut")


def test_a_lease_that_was_never_written_is_nobodys(tmp_path: Path, clock: FixedClock) -> None:
    with pytest.raises(TransientError, match="cut"):
        leases(NeverWrites(tmp_path), clock).take("t")

    assert leases(LocalObjects(tmp_path), clock).take("t").token == 1


@pytest.mark.parametrize("body", [b"", b'{"token": 7, "own', b"[]", b'{"token": 7}'])
def test_a_lease_that_a_crash_left_half_written_ends_by_itself(tmp_path: Path, clock: FixedClock, body: bytes) -> None:
    store = LocalObjects(tmp_path)
    store.write("control/_leases/t/000000000007.json", body)
    os.utime(tmp_path / "control/_leases/t/000000000007.json", (clock.now().timestamp(), clock.now().timestamp()))

    with pytest.raises(LeaseHeld, match="its record is unreadable"):
        leases(store, clock).take("t")
    clock.advance(LATER)
    assert leases(store, clock).take("t").token == 8


def test_what_older_holders_left_is_tidied_up(tmp_path: Path, clock: FixedClock) -> None:
    store = LocalObjects(tmp_path)
    for _ in range(50):
        with leases(store, clock).hold("t") as lease:
            pass

    assert lease.token == 99
    assert len(list(store.list("control/_leases/t/"))) == 2
