"""Escaped words look in rendered Markdown as they were."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.display import markdown

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NASTY = [
    "[x](javascript:alert(1))", "![x](http://h/a.png)", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>",
    "a|b", "a\\|b", "`code`", "*x*", "__x__", "~~x~~", "# heading", "1. one", "- item", "+", "=", "---", "a\nb", "\\",
    "&lt;b&gt;", "&#60;b>", "<https://h>", "[x]: http://h",
]  # fmt: skip
words = st.one_of(st.sampled_from(NASTY), st.text("a1 \\`*_[](){}<>#+-.!|~&;:/@=\n'\"", min_size=1, max_size=9))


def seen(rendered: str) -> str:
    """Return the visible text of a rendered page, with white space collapsed as in a browser."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", rendered)).split())


def elements(rendered: str) -> set[str]:
    return set(re.findall(r"<([a-z0-9]+)", rendered))


@example(" -")
@example("    code")
@given(words)
def test_words_stay_what_they_are(word: str) -> None:
    """No word becomes an element, alone on a line or within one."""
    alone, inside = READER.render(markdown.text(word)), READER.render(f"**name**: {markdown.text(word)} end")

    assert elements(alone) <= {"p"}
    assert elements(inside) == {"p", "strong"}
    assert seen(alone) == " ".join(word.split())
    assert seen(inside) == " ".join(["name:", *word.split(), "end"])


@given(words)
def test_names_set_as_code_stay_too(name: str) -> None:
    """Names as inline code stay as they are, including backticks."""
    rendered = READER.render(f"of {markdown.code(name)} end")

    assert elements(rendered) == {"p", "code"}
    assert seen(rendered) == " ".join(["of", *name.split(), "end"])
    assert elements(READER.render(markdown.block(name))) == {"pre", "code"}


@given(st.lists(st.lists(words, min_size=2, max_size=2), min_size=1, max_size=3))
def test_no_word_breaks_a_table(rows: list[list[str]]) -> None:
    """Each cell contains exactly its word."""
    rendered = READER.render(markdown.tabular(["word", "nearest"], rows))
    cells = re.findall(r"<td>(.*?)</td>", rendered)

    assert elements(rendered) <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert [seen(cell) for cell in cells] == [" ".join(word.split()) for row in rows for word in row]


@pytest.mark.parametrize("word", ["https://evil.example/x", "www.evil.example", "me@evil.example"])
def test_an_address_becomes_no_link_by_itself(word: str) -> None:
    """A word that looks like an address does not become a link."""
    assert not re.search(r"\w://|www\.|\w@\w", markdown.text(word))
    assert seen(READER.render(markdown.text(word))) == word


def test_a_link_goes_where_it_says() -> None:
    """A link keeps its address, whatever characters it has."""
    rendered = READER.render(markdown.link("the [run]", "http://h:5000/a) b/#/x?y=<z>"))

    assert rendered == '<p><a href="http://h:5000/a%29%20b/#/x?y=%3Cz%3E">the [run]</a></p>\n'
