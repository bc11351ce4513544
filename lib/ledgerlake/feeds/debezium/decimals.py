"""Decimals of Debezium messages as exact texts of at most 38 digits.

Source: Debezium's "Data type mappings"; Kafka Connect's ``Decimal`` is the unscaled number, in
big-endian two's complement, as base64.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import Any

from ledgerlake.core.change import CONTRADICTION
from ledgerlake.feeds.debezium.values import Convert, Unreadable
from ledgerlake.feeds.decoding.records import Path, record_of, text_of

_DIGITS_MAX = 38
_SCALE_MAX = 16_383
"""PostgreSQL's limit of digits after the point."""
_NUMBER_MAX = 15
"""Characters of a number with a point that a double cannot have rounded."""
_NUMBER_FOR_TEXT = "a JSON number where a string is declared; set decimal.handling.mode and decimal.format"
_NO_NUMBERS = ("NaN", "Infinity")
_PLAIN = re.compile(r"[+-]?[0-9]+([.][0-9]+)?").fullmatch
_WITH_EXPONENT = re.compile(r"[0-9]+[eE]\+?[0-9]+").fullmatch
_NUMBER = re.compile(r"-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?").fullmatch


def unscaled_decimal(name: str, scale: int | None) -> Convert:
    """Return the conversion of base64, or of ``{"scale": …, "value": base64}``, of at most 38 digits."""

    def convert(value: Any, line: bytes) -> str | None:
        if value is None:
            return None
        if type(value) is str and value > ":":  # neither empty nor led by a digit, so no number
            text = _decimal(value, scale)
            if text is not None:
                return text
        return _odd_decimal(name, value, scale, line)

    return convert


def _odd_decimal(name: str, value: Any, scale: int | None, line: bytes) -> str:
    if type(value) is int or _is_number(value, line):
        raise Unreadable(f"{name}: {CONTRADICTION}: {_NUMBER_FOR_TEXT}")
    if type(value) is str and _PLAIN(value) and _decimal(value, scale) is None:
        raise Unreadable(
            f"{name}: {CONTRADICTION}: a decimal in plain digits where base64 is; see decimal.handling.mode"
        )
    beside = value if type(value) is dict else record_of(value.encode()) if type(value) is str else None
    if beside:
        told = beside.get("scale")
        text = _decimal(beside.get("value"), told if type(told) is int else None)
    else:
        text = _decimal(value, scale)
    if text is None:
        raise Unreadable(f"{name}: not an exact decimal of at most 38 digits")
    return text


def _is_number(value: Any, line: bytes) -> bool:
    """Say whether a text that could be base64 is a JSON number, such as 1e10."""
    return type(value) is str and _WITH_EXPONENT(value) is not None and not _quoted(value, line)


def _number_for_text(name: str) -> Unreadable:
    return Unreadable(f"{name}: {_NUMBER_FOR_TEXT}")


def _quoted(text: str, line: bytes) -> bool:
    # Parsed numbers and strings are alike as text: where that could mislead, the line itself is asked.
    return f'"{text}"'.encode() in line


def _decimal(coded: Any, scale: int | None) -> str | None:
    """Return the exact text of an unscaled decimal; None where it has none."""
    try:
        digits = str(int.from_bytes(a2b_base64(coded, strict_mode=True), "big", signed=True))
    except (ValueError, TypeError):
        return None
    if scale and 0 < scale < len(digits) - 1 < _DIGITS_MAX:  # something stands before the point, be there a sign or not
        return f"{digits[:-scale]}.{digits[-scale:]}"
    return _scaled(digits, scale) if coded and scale is not None and abs(scale) <= _SCALE_MAX else None


def _scaled(digits: str, scale: int) -> str | None:
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    if len(digits) > _DIGITS_MAX:
        return None
    if scale <= 0:
        return f"{sign}{digits}{'0' * -scale}"
    digits = digits.zfill(scale + 1)
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}"


def written_decimal(name: str, path: Path) -> Convert:
    """Return the conversion of decimals as text; a number is taken where a double cannot have rounded it."""

    def convert(value: Any, line: bytes) -> str | None:
        if type(value) is not str:
            return text_of(value, line, path)
        if value[-1:] == "=" or (value[:1].isalpha() and value not in _NO_NUMBERS):
            raise Unreadable(
                f"{name}: {CONTRADICTION}: no decimal in digits, but what may be base64; see decimal.handling.mode"
            )
        doubtful = "e" in value or "E" in value or (len(value) > _NUMBER_MAX and "." in value)
        if doubtful and _NUMBER(value) and not _quoted(value, line):
            raise _number_for_text(name)
        return value

    return convert
