"""Landing: immutable manifests, numbered without gaps, whoever writes; objects landed once."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from ledgerlake.errors import TransientError
from ledgerlake.feeds.landed import landing_path
from ledgerlake.landing.manifest import LandedObject, Manifest, ManifestLog, RefusedObject
from ledgerlake.ports.objects import LocalObjects

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def manifest(sequence: int = 1, day: int = 1, **more: object) -> Manifest:
    facts: dict[str, object] = {
        "pipeline": "bank",
        "table": "t",
        "sequence": sequence,
        "run_id": "r",
        "logical_date": date(2026, 3, day),
        "landed_at": NOON,
        "objects": (),
    }
    return Manifest(**(facts | more))  # type: ignore[arg-type]


def log(folder: Path) -> ManifestLog:
    return ManifestLog(LocalObjects(folder), "bank", "t")


def test_a_manifest_comes_back_as_it_was_written() -> None:
    landed = LandedObject("landing/bank/t/11/a.csv", "s/a.csv", "11", 3, NOON, (("id", "string"),), "7:3", 2)
    whole = manifest(
        objects=(landed,),
        refused=(RefusedObject("s/b.csv", "22", "empty", "8:0", "f00d"),),
        cursor={"until": "2026-03-01"},
        order="sequence_column: seq",
        seen={"s/c.csv": ("9:1", "33")},
    )

    assert Manifest.from_json(whole.to_json()) == whole


def test_the_second_writer_of_a_number_loses_and_says_so(tmp_path: Path) -> None:
    one, other = log(tmp_path), log(tmp_path)
    assert (one.next_sequence(), other.next_sequence()) == (1, 1)
    one.append(manifest(run_id="one"))

    with pytest.raises(TransientError, match="another run landed this table"):
        other.append(manifest(run_id="other"))

    assert [m.run_id for m in log(tmp_path).all()] == ["one"]


def test_refused_objects_are_known_too_and_not_looked_at_again(tmp_path: Path) -> None:
    landed = LandedObject("landing/x", "s/a.csv", "11", 3, NOON)
    log(tmp_path).append(manifest(objects=(landed,), refused=(RefusedObject("s/b.csv", "22", "empty"),)))

    known = log(tmp_path).record()
    assert {name: o.content_hash for name, o in known.landed.items()} == {"s/a.csv": "11"}
    assert list(known.refused) == [("s/b.csv", "22")]


def test_the_next_extraction_continues_from_the_last_cursor(tmp_path: Path) -> None:
    assert log(tmp_path).latest_cursor() == {}
    for sequence in range(1, 12):
        writer = log(tmp_path)
        writer.append(manifest(writer.next_sequence(), cursor={"until": sequence}))

    assert log(tmp_path).latest_cursor() == {"until": 11}


def test_a_log_covers_a_day_once_that_day_or_a_later_one_was_landed(tmp_path: Path) -> None:
    log(tmp_path).append(manifest(day=2))

    assert [log(tmp_path).covers(date(2026, 3, d)) for d in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    "name", ["_customers+0+7.json", ".hidden.csv", "(1) a.csv", "übersicht.csv", "a{b}[c]*?.csv", "a._COPYING_", "x" * 300]
)
def test_a_landed_name_is_one_that_no_engine_hides_or_takes_for_a_pattern(name: str) -> None:
    folder, landed = landing_path("bank", "t", "0123456789abcdef99", f"s/{name}").rsplit("/", 1)

    assert folder.startswith("landing/bank/t/0123456789abcdef-")
    assert re.fullmatch(r"o-[A-Za-z0-9.-]+", landed)
    assert len(landed) <= 200
    assert not landed.endswith("._COPYING_")


def test_each_delivery_has_a_place_of_its_own() -> None:
    places = [landing_path("bank", "t", "01" * 8, name, n) for name in ("a/x.csv", "b/x.csv") for n in (1, 2)]

    assert len(set(places)) == 4
