"""Histories of many keys, drawn by Hypothesis, and deliveries of them in any order, split and repetition.

One Spark load costs seconds, one history costs nothing: so Hypothesis draws hundreds of small
histories first, one per key, and they travel together. A key that ends wrong names its history.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TypeVar

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")
COUNT = int(os.environ.get("LEDGERLAKE_HISTORIES", "320"))
"""Histories per feed; ``make test-histories`` asks for 5,000."""


@dataclass(frozen=True)
class Act:
    """What happens to a key: ``put`` a row, ``set`` some columns, ``drop`` it, ``move`` it to another key."""

    kind: str
    owner: str | None
    city: str | None
    carried: tuple[str, ...]


@cache
def drawn(*kinds: str) -> tuple[list[Act], ...]:
    """Return histories as Hypothesis draws them, of up to six acts; values repeat often on purpose."""
    carried = st.sampled_from([("owner",), ("city",), ("owner", "city"), ()])
    names = st.sampled_from([None, "Ann", "Bob", 'O"Neil, é'])
    history = st.lists(st.builds(Act, st.sampled_from(kinds), names, names, carried), min_size=2, max_size=6)
    found: list[list[Act]] = []

    @settings(max_examples=COUNT, phases=[Phase.generate], database=None, derandomize=True)
    @given(history)
    def collect(example: list[Act]) -> None:
        found.append(example)

    collect()
    assert len(found) >= min(COUNT, 300), "a convergence test of few histories proves little"
    return tuple(found)


def interleaved(histories: Sequence[Sequence[Act]], random: Random) -> list[tuple[int, Act]]:
    """Return (history, act) in one common order, in which each history keeps its own."""
    turns = [number for number, acts in enumerate(histories) for _ in acts]
    random.shuffle(turns)
    left = [iter(acts) for acts in histories]
    return [(number, next(left[number])) for number in turns]


def dealt(items: Sequence[T], random: Random, piles: int) -> list[list[T]]:
    """Repeat a fifth of the items, shuffle, and deal everything out to ``piles``."""
    shuffled = [*items, *random.sample(list(items), len(items) // 5)]
    random.shuffle(shuffled)
    cuts = sorted(random.randrange(1, len(shuffled)) for _ in range(piles - 1))
    return [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
