"""The page of benchmarks is made of their results."""

from benchmarks.page import PAGE, page


def test_the_page_is_what_the_results_say() -> None:
    """Every kept result can be shown, and the page was not edited by hand."""
    assert PAGE.read_text(encoding="utf-8") == page()
