"""The documentation is true: what it links to exists, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ledgerlake.feeds.registry import FEEDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FEED_PAGES = {p.stem: p for p in (ROOT / "docs/feeds").glob("*.md")}
LINK = re.compile(r'\]\((?!https?:|#|mailto:)([^)\s#]+)[^)\s]*(?:\s+"([^"]+)")?\)')
NAMED = re.compile(r"`(?:tests/\w+/)?(test_\w+\.py)::(test_\w+)`")


def _sources_by_name() -> dict[str, str]:
    return {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, title in LINK.findall(page.read_text(encoding="utf-8")):
        file = (page.parent / target).resolve()
        assert file.exists(), target
        if title.startswith("test_"):
            assert f"def {title}(" in file.read_text(encoding="utf-8"), title


@pytest.mark.parametrize("page", FEED_PAGES.values(), ids=lambda p: p.stem)
def test_every_test_that_a_feeds_page_names_exists(page: Path) -> None:
    known = _sources_by_name()
    for file, name in NAMED.findall(page.read_text(encoding="utf-8")):
        assert f"def {name}(" in known[file], f"{file}::{name}"


def test_every_feed_has_a_page_and_a_row_of_guarantees() -> None:
    matrix = FEED_PAGES["README"].read_text(encoding="utf-8")
    assert set(FEED_PAGES) - {"README"} == set(FEEDS)
    assert all(f"[`{kind}`]({kind}.md)" in matrix for kind in FEEDS)


@pytest.mark.parametrize("kind", sorted(FEEDS))
def test_every_bad_input_of_a_feed_names_its_test(kind: str) -> None:
    text = FEED_PAGES[kind].read_text(encoding="utf-8")
    table = text[text.index("| bad input") :].split("\n\n")[0].splitlines()[2:]
    assert table
    for row in table:
        assert NAMED.search(row) or "| the same |" in row, row
