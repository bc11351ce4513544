"""The connector's marker for an unchanged TOAST value, which stays as it is stored."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any


def placeholders(marker: str) -> tuple[str, ...]:
    """Return every text in which the connector writes its marker for an unchanged TOAST value.

    Plain, as bytes, as arrays of text, bytes, numbers and UUIDs, and as hstore. Source:
    Debezium's PostgreSQL connector, "Toasted values" and ``unavailable.value.placeholder``.
    """
    raw = marker.encode()
    coded = base64.b64encode(raw).decode()
    named = str(uuid.UUID(bytes=hashlib.md5(raw, usedforsecurity=False).digest(), version=3))
    forms: list[object] = [[marker], [coded], list(raw), [named], {marker: marker}]
    return (marker, coded, named, *(json.dumps(f, separators=(",", ":"), ensure_ascii=False) for f in forms))


class Markers:
    """Finds the marker among parsed values, as text or as the array or object that a text describes."""

    def __init__(self, marker: str | None) -> None:
        self._texts = frozenset(placeholders(marker) if marker else ())
        self._parsed = [json.loads(text) for text in self._texts if text[0] in "[{"]

    def __contains__(self, value: Any) -> bool:
        return value in self._texts if type(value) is str else type(value) in (list, dict) and value in self._parsed

    def among(self, values: Sequence[Any]) -> bool:
        """Say whether a marker may be among the values."""
        try:
            return not self._texts.isdisjoint(values)
        except TypeError:  # an array or an object
            return True
