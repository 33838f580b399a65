"""What people see of the work, in lines of a log."""

import logging

import pytest

from tasks.engine import progress
from tasks.engine.stage import Context
from tests.support.trained import windows_of


@pytest.mark.parametrize(("epochs", "said"), [(1, "2 windows in 1 draw,"), (2, "4 windows in 2 draws,")])
def test_draws_are_one_line(epochs: int, said: str, context: Context, caplog: pytest.LogCaptureFixture) -> None:
    """However many epochs there are."""
    with caplog.at_level(logging.INFO, "w2v"):
        progress.drawn([windows_of(context, [0, 0], [0, epoch], [1, 1]) for epoch in range(epochs)], reused=False)

    assert [said in each.message for each in caplog.records] == [True]
