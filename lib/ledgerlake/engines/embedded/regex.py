"""Regular expressions: Java's, as Spark matches them, asked of RE2.

Only what both understand alike passes, with the few differences spelled out: ``$`` of Java also
matches before a last line end, its dot stops at more than one kind of line end. RE2 looks nowhere
ahead: where a pattern, or one of its alternatives, begins by looking ahead, that is a second test.
"""

from __future__ import annotations

from ledgerlake.engines.base import Unsupported
from ledgerlake.engines.embedded import kinds

_LINE_ENDS = "\\n\\r\\x{85}\\x{2028}\\x{2029}"
_END = f"(?:\\r\\n|[{_LINE_ENDS}])?\\z"
_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": " \\t\\n\\x0B\\f\\r"}
_PLAIN_ESCAPES = set("\\.[]{}()*+?^$|/-\"'#&~!%@,:;=<> ")
_CONTROLS = {"t": "\\t", "n": "\\n", "r": "\\r", "f": "\\f"}
_REPEATS_MAX = 1_000
_AHEAD = ("(?!", "(?=")


def matches_sql(text: str, pattern: str) -> str:
    """Return DuckDB's test that a Java pattern is found in ``text``; raise Unsupported where the two may differ."""
    if not any(sign in pattern for sign in _AHEAD):
        return _found(text, _Reader(pattern).whole())
    if not (pattern.startswith("^(?:") and pattern.endswith(")\\z")):
        raise Unsupported(f"the pattern {pattern!r} (it looks ahead)")
    return _alternatives(text, pattern[len("^(?:") : -len(")\\z")], "\\z")


def re2(pattern: str) -> str:
    """Return a Java pattern in RE2's syntax; raise Unsupported where the two may differ."""
    return _Reader(pattern).whole()


def _found(text: str, pattern: str) -> str:
    return f"regexp_matches({text}, {kinds.text(pattern)})"


def _alternatives(text: str, pattern: str, end: str) -> str:
    """Return the test that one of a pattern's alternatives matches from the start on."""
    parts, plain = [], []
    for one in _split(pattern):
        if one.startswith(_AHEAD):
            close = _close_of(one, 0)
            seen, rest = _alternatives(text, one[3:close], ""), one[close + 1 :]
            sign = "NOT " if one.startswith("(?!") else ""
            more = f" AND {_alternatives(text, rest, end)}" if rest or end else ""
            parts.append(f"({sign}{seen}{more})")
        else:
            plain.append(one)
    if plain:
        parts.append(_found(text, f"^(?:{_Reader('|'.join(plain)).whole()}){end}"))
    return f"({' OR '.join(parts)})"


def _split(pattern: str) -> list[str]:
    parts, start, at = [], 0, 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "(":
            at = _close_of(pattern, at)
        elif letter == "[":
            at = _class_end(pattern, at)
        elif letter == "\\":
            at += 1
        elif letter == "|":
            parts.append(pattern[start:at])
            start = at + 1
        at += 1
    return [*parts, pattern[start:]]


def _close_of(pattern: str, at: int) -> int:
    depth = 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            at = _class_end(pattern, at)
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0:
                return at
        at += 1
    raise Unsupported(f"the pattern {pattern!r} (an open group)")


def _class_end(pattern: str, at: int) -> int:
    end = at + (3 if pattern[at : at + 2] == "[^" else 2)
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end


class _Reader:
    """Reads a Java pattern from left to right and writes RE2's."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self._dots = pattern, 0, [f"[^{_LINE_ENDS}]"]

    def whole(self) -> str:
        parts = []
        while self._at < len(self._text):
            parts.append(self._item())
        return "".join(parts)

    def _next(self) -> str:
        letter = self._text[self._at : self._at + 1]
        self._at += 1
        return letter

    def _refuse(self, what: str) -> Unsupported:
        return Unsupported(f"the pattern {self._text!r} ({what})")

    def _item(self) -> str:
        letter = self._next()
        match letter:
            case "\\":
                return self._escape()
            case "[" if self._text.startswith("\\s\\S]", self._at):
                self._at += len("\\s\\S]")
                return "(?s:.)"
            case "[":
                return self._class()
            case "(":
                return self._group()
            case ")":
                self._dots.pop()
                return letter
            case "$":
                return _END
            case ".":
                return self._dots[-1]
            case "{":
                return self._repeat()
            case "*" | "+" | "?" if self._text[self._at : self._at + 1] == "+":
                raise self._refuse("a possessive quantifier")
        return letter

    def _escape(self) -> str:
        letter = self._next()
        if letter in _CLASSES:
            return f"[{_CLASSES[letter]}]"
        if letter and letter.lower() in _CLASSES:
            return f"[^{_CLASSES[letter.lower()]}]"
        if letter in _PLAIN_ESCAPES:
            return "\\" + letter if letter in "\\.[]{}()*+?^$|" else letter
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in ("z", "A"):
            return "\\" + letter
        if letter in ("x", "u"):
            return self._by_number(2 if letter == "x" else 4)
        raise self._refuse(f"\\{letter}")

    def _by_number(self, digits: int) -> str:
        text = self._text[self._at : self._at + digits]
        self._at += digits
        try:
            return f"\\x{{{int(text, 16):X}}}"
        except ValueError:
            raise self._refuse(f"\\x{text}") from None

    def _class(self) -> str:
        parts = ["["]
        if self._text[self._at : self._at + 1] == "^":
            parts.append(self._next())
        while True:
            letter = self._next()
            if not letter:
                raise self._refuse("an open class")
            if letter == "]":
                return "".join([*parts, "]"])
            if letter == "[" or self._text[self._at - 1 : self._at + 1] == "&&":
                raise self._refuse("a class within a class")
            parts.append(letter if letter != "\\" else self._in_class(self._next()))

    def _in_class(self, letter: str) -> str:
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in _PLAIN_ESCAPES:
            return "\\" + letter if letter in "\\]^-[" else letter
        if letter in ("x", "u"):
            return self._by_number(2 if letter == "x" else 4)
        raise self._refuse(f"\\{letter} in a class")

    def _group(self) -> str:
        if self._text.startswith("?:", self._at):
            self._at += 2
            self._dots.append(self._dots[-1])
            return "(?:"
        if self._text.startswith("?s:", self._at):
            self._at += 3
            self._dots.append("(?s:.)")
            return "(?:"
        if self._text.startswith("?", self._at):
            raise self._refuse("a flag, a name or looking around")
        self._dots.append(self._dots[-1])
        return "("

    def _repeat(self) -> str:
        end = self._text.find("}", self._at)
        body = self._text[self._at : end]
        counts = [int(n) for n in body.split(",") if n.isdigit()]
        if end < 0 or not counts or max(counts) > _REPEATS_MAX or self._text[end + 1 : end + 2] == "+":
            raise self._refuse("a repetition")
        self._at = end + 1
        return "{" + body + "}"
