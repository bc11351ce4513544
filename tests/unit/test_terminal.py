"""Data reaches the terminal as text: no markup, no escape sequence and no mark of direction is obeyed."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from ledgerlake.cli.context import Context
from ledgerlake.cli.door import Terminal, filled, grid, shown, visible
from ledgerlake.cli.looking import show_facts
from ledgerlake.cli.main import main
from rich.text import Text

HOSTILE = {
    "closing markup": ("[/]", "[/]"),
    "markup": ("[red]1.00[/red]", "[red]1.00[/red]"),
    "a link": ("[link=http://x]y[/link]", "[link=http://x]y[/link]"),
    "an escaped bracket": ("\\[red]", "\\[red]"),
    "an emoji's name": (":warning:", ":warning:"),
    "ansi colour": ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    "a window's title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "an eight-bit csi": ("\x9b2J", "\\x9b2J"),
    "carriage return": ("paid\rFREE", "paid\\rFREE"),
    "a forged line": ("ok\n✓ published", "ok\\n✓ published"),
    "backspaces": ("9\x08\x08", "9\\x08\\x08"),
    "right to left": ("12\u202e34", "12\\u202e34"),
    "an isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "nul": ("a\x00b", "a\\x00b"),
}


def terminal() -> tuple[Context, io.StringIO]:
    written = io.StringIO()
    return Context(Path(), "test", console=Terminal(file=written, width=200, force_terminal=False)), written


@pytest.mark.parametrize(("value", "seen"), HOSTILE.values(), ids=HOSTILE)
def test_values_are_shown_as_they_are_in_lines_grids_and_facts(value: str, seen: str) -> None:
    own, written = terminal()

    own.say("[bold]value[/]: {value}", value=value)
    own.console.print(grid(value, [value], [[value], ["x"]]))
    show_facts(own, {value: value, "nested": {"k": value}, "rows": [{value: value}]})

    text = written.getvalue()
    assert text.count(seen) == 9  # title, column, cell; name and value; nested; column and cell of rows
    assert not set("\x1b\x07\x9b\r\x08\u202e\u2066\x00") & set(text)


@pytest.mark.parametrize(("value", "seen"), HOSTILE.values(), ids=HOSTILE)
def test_a_text_that_was_not_escaped_neither_crashes_nor_controls_the_terminal(value: str, seen: str) -> None:
    own, written = terminal()

    own.console.print(f"a message of a driver: {value}")

    assert not set("\x1b\x07\x9b\r\x08\u202e\u2066\x00") & set(written.getvalue())


def test_an_error_that_quotes_a_file_called_like_markup_is_told_whole(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["--project", str(tmp_path / "[/]\x1b[2J"), "status"])

    assert ended.value.code == 2
    assert "[/]\\x1b[2J" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, ""), (True, "true"), (1234567, "1,234,567"), (Decimal("0E-8"), "0.00000000"),
        (Decimal("1234567.80"), "1234567.80"), (b"\xab\xcd", "abcd"), (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC), "2026-03-01 12:00:00.000005+00:00"), ("é漢😀", "é漢😀"),
    ],
)  # fmt: skip
def test_values_are_shown_exactly(value: object, seen: str) -> None:
    assert shown(value) == seen


def test_only_the_template_is_markup() -> None:
    assert Text.from_markup(filled("[red]{a}[/]", a="[b]x")).plain == "[b]x"
    assert visible("plain text") == "plain text"


@pytest.mark.parametrize(
    "command",
    [["status"], ["validate"], ["history", "t"], ["trace", "--batch-id", "b"], ["verify", "t"], ["grants"], ["alerts"],
     ["quarantine", "list"], ["access"], ["explain", "m", "--key", "k"], ["as-of", "m"]],
    ids=lambda c: c[0],
)  # fmt: skip
def test_a_command_outside_of_a_project_says_where_to_go(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--project", str(tmp_path), *command])

    told = capsys.readouterr().err.replace("\n", " ")
    assert ended.value.code == 2
    assert "no pipeline is declared here" in told
    assert "--project" in told
