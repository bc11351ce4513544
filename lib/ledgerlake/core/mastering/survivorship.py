"""Which value of a field survives: rules in their declared order, each with what it eliminates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ledgerlake.core.mastering.model import AGGREGATED, Candidate, Loser, Rule, Survivor

NOTHING = Survivor(None, None, None, None, "none")


def survivor(field: str, candidates: Sequence[Candidate], rules: Sequence[Rule]) -> Survivor:
    """Return the value that survives among ``candidates``, and the losers with what beat each.

    The winning rule is the one after which a single value was left: ``only`` where one record
    speaks of the field, ``agreed`` where all records say the same.
    """
    left = sorted(candidates, key=lambda k: k.node)
    if all(k.value is None for k in left) and not any(r.kind == "count" for r in rules):
        return NOTHING
    winning = "only" if len(left) == 1 else "agreed" if _single(left) else ""
    beaten: list[tuple[Candidate, str]] = []
    for rule in rules:
        if rule.computes:
            return _computed(left, rule)
        if len(left) == 1:
            break
        kept = _KEEP[rule.kind](left, rule)
        beaten += [(k, rule.kind) for k in left if k not in kept]
        left = kept
        winning = winning or (rule.kind if _single(left) else "")
    winner = left[0]
    losers = tuple(
        Loser(field, k.value, k.source, k.record, k.time, by)
        for k, by in sorted(beaten, key=lambda b: b[0].node)
        if k.value is not None and k.value != winner.value
    )
    return Survivor(winner.value, winner.source, winner.record, winner.time, winning, losers)


def _single(candidates: Sequence[Candidate]) -> bool:
    return all(k.value == candidates[0].value for k in candidates)


def _computed(candidates: Sequence[Candidate], rule: Rule) -> Survivor:
    """Return the sum of what the records say, or how many say anything."""
    told = [k for k in candidates if k.value is not None]
    amounts: list[Any] = [k.value for k in told]
    value = len(told) if rule.kind == "count" else sum(amounts)
    time = max((k.time for k in told), default=None)
    records = f"{len(told)} record" + ("" if len(told) == 1 else "s")
    return Survivor(value, AGGREGATED, records, time, rule.kind)


def _best(score: Callable[[Candidate, Rule], Any]) -> Callable[[list[Candidate], Rule], list[Candidate]]:
    """Return a rule's filter: the candidates whose score is the smallest."""

    def keep(candidates: list[Candidate], rule: Rule) -> list[Candidate]:
        scores = [score(k, rule) for k in candidates]
        smallest = min(scores)
        return [k for k, s in zip(candidates, scores, strict=True) if s == smallest]

    return keep


def _place(name: str, order: tuple[str, ...]) -> int:
    return order.index(name) if name in order else len(order)


def _extreme(largest: bool) -> Callable[[list[Candidate], Rule], list[Candidate]]:
    def keep(candidates: list[Candidate], _: Rule) -> list[Candidate]:
        values: list[Any] = [k.value for k in candidates if k.value is not None]
        if not values:
            return candidates
        extreme = max(values) if largest else min(values)
        return [k for k in candidates if k.value == extreme]

    return keep


_KEEP: dict[str, Callable[[list[Candidate], Rule], list[Candidate]]] = {
    "source": _best(lambda k, rule: _place(k.source, rule.order)),
    "rank": _best(lambda k, rule: _place(str(k.value), rule.order) if k.value is not None else len(rule.order) + 1),
    "recency": _best(lambda k, _: -k.time.timestamp()),
    "trust": _best(lambda k, _: -k.trust),
    "non_null": _best(lambda k, _: k.value is None),
    "record": _best(lambda k, _: k.node),
    "max": _extreme(largest=True),
    "min": _extreme(largest=False),
}
