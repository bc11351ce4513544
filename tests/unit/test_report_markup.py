"""Markup: nothing becomes HTML that was not written as HTML."""

from __future__ import annotations

import pytest
from ledgerlake.report.markup import Column, Markup, join, table, tag

HOSTILE = '<script>alert("1")</script>&'


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", HOSTILE) == "<p>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;</p>"
    assert tag("p", tag("b", "x")) == "<p><b>x</b></p>"


def test_an_attribute_cannot_be_left() -> None:
    assert tag("p", title='" onclick="x') == '<p title="&quot; onclick=&quot;x"></p>'


def test_an_attribute_that_is_none_is_left_out_and_true_stands_alone() -> None:
    assert tag("details", "x", open_=True, class_=None) == "<details open>x</details>"


def test_parts_are_escaped_when_joined_and_so_is_what_stands_between() -> None:
    assert join(["a", Markup("<br>"), "<"], between="&") == "a&amp;<br>&amp;&lt;"


def test_the_first_cell_of_a_row_is_its_heading() -> None:
    html = table([Column("Table"), Column("Rows", "number")], [("<t>", 1)], "Tables")

    assert '<th scope="row" class="text">&lt;t&gt;</th><td class="number">1</td>' in html


def test_a_row_that_does_not_fit_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        table([Column("Table")], [("a", "b")], "Tables")
