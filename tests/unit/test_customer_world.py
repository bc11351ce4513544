"""LedgerLoop's demo world: deterministic, and it plants what it declares."""

from __future__ import annotations

from pathlib import Path

from ledgerlake.demo.customer_master.deliveries import deliver
from ledgerlake.demo.customer_master.people import IMPORT_EMAIL, Scale
from ledgerlake.demo.customer_master.world import build_world


def files(folder: Path) -> dict[str, tuple[bytes, float]]:
    found = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime) for p in found}


def test_the_same_seed_gives_the_same_objects_with_the_same_times(tmp_path: Path) -> None:
    for name in ("one", "other"):
        world = build_world(scale=Scale.small())
        for number in range(4):
            deliver(world, number, tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "other")
    assert files(tmp_path / "one")


def test_a_delivery_that_is_repeated_writes_nothing(tmp_path: Path) -> None:
    world = build_world(scale=Scale.small())
    assert deliver(world, 0, tmp_path) == 4
    assert deliver(world, 0, tmp_path) == 0


def test_no_customer_plays_two_parts() -> None:
    cast = build_world(scale=Scale.small()).cast
    parts = (
        cast.other_names,
        cast.twins,
        cast.wrong_emails,
        cast.upgrades,
        cast.late,
        cast.lost_contacts,
        cast.imported,
    )
    numbers = [c.number for part in parts for c in part]
    assert len(numbers) == len(set(numbers)) > 0


def test_the_import_of_day_3_spoils_addresses_and_the_correction_restores_them() -> None:
    world = build_world(scale=Scale.small())
    spoilt, restored = world.deliveries[2].app, world.deliveries[3].app
    assert {row["owner_email"] for _, row in spoilt} == {IMPORT_EMAIL}
    assert len({row["owner_email"] for _, row in restored}) == len(spoilt) == world.cast.scale.imported
