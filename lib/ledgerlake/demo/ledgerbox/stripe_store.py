"""The objects a Stripe account holds, and its list calls: newest first, paged, filtered."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from ledgerlake.demo.ledgerbox.stripe_days import RESOURCE_OF
from ledgerlake.demo.ledgerbox.stripe_shapes import StripeObject

PAGE_MAX = 100
PAGE_DEFAULT = 10
Params = Mapping[str, list[str]]  # as urllib.parse.parse_qs gives them


class BadRequestError(Exception):
    """A list call with a parameter that Stripe would refuse; carries its message."""


class StripeStore:
    """Current versions by resource; safe to change while requests are answered."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_id: dict[str, dict[str, StripeObject]] = {r: {} for r in RESOURCE_OF.values()}
        self._newest_first: dict[str, list[StripeObject]] = {}  # those listed since they last changed

    @property
    def resources(self) -> tuple[str, ...]:
        """Return the names of the collections."""
        return tuple(self._by_id)

    def put(self, versions: Iterable[StripeObject]) -> None:
        """Make each object's version the current one."""
        with self._lock:
            for thing in versions:
                resource = RESOURCE_OF[thing["object"]]
                self._by_id[resource][thing["id"]] = thing
                self._newest_first.pop(resource, None)

    def forget(self, resource: str, key: str) -> None:
        """Remove an object, so that it is neither listed nor found."""
        with self._lock:
            del self._by_id[resource][key]
            self._newest_first.pop(resource, None)

    def _sorted(self, resource: str) -> list[StripeObject]:
        if resource not in self._newest_first:
            things = self._by_id[resource].values()
            self._newest_first[resource] = sorted(things, key=lambda o: (o["created"], o["id"]), reverse=True)
        return self._newest_first[resource]

    def get(self, resource: str, key: str) -> StripeObject | None:
        """Return the current version of an object, or None."""
        with self._lock:
            return self._by_id[resource].get(key)

    def page(self, resource: str, params: Params) -> tuple[list[StripeObject], bool]:
        """Return one page, newest first, and whether there is more in its direction.

        Raises :class:`BadRequestError` for an unknown cursor id or a limit outside 1 to 100.
        """
        with self._lock:
            rows = self._sorted(resource)
        limit = _limit(params)
        kept = [row for row in rows if _wanted(row, params)]
        if "ending_before" in params:
            newer = kept[: _index(kept, params["ending_before"][0])]
            return newer[-limit:], len(newer) > limit
        first = _index(kept, params["starting_after"][0]) + 1 if "starting_after" in params else 0
        return kept[first : first + limit], len(kept) > first + limit


def _limit(params: Params) -> int:
    limit = int(params.get("limit", [str(PAGE_DEFAULT)])[0])
    if not 1 <= limit <= PAGE_MAX:
        raise BadRequestError(f"This value must be between 1 and {PAGE_MAX}.")
    return limit


def _index(rows: list[StripeObject], key: str) -> int:
    for index, row in enumerate(rows):
        if row["id"] == key:
            return index
    raise BadRequestError("No such object for the paging cursor")


BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "created[gte]": operator.ge,
    "created[gt]": operator.gt,
    "created[lte]": operator.le,
    "created[lt]": operator.lt,
    "created": operator.eq,
}


def _wanted(row: StripeObject, params: Params) -> bool:
    if row.get("deleted") or (row.get("status") == "canceled" and _hides_canceled(row, params)):
        return False
    bounds = [(holds, int(params[name][0])) for name, holds in BOUNDS.items() if name in params]
    if not all(holds(row["created"], limit) for holds, limit in bounds):
        return False
    # stripe-python sends types[0], types[1]; other clients send types[]
    types = [value for name, values in params.items() if name.startswith("types[") for value in values]
    types += params.get("type", [])
    return not types or row.get("type") in types


def _hides_canceled(row: StripeObject, params: Params) -> bool:
    return row["object"] == "subscription" and params.get("status") != ["all"]
