"""Requests for neighbours that are computed together."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from flows.query import vectors
from flows.serving import batches
from flows.serving.batches import Batches
from tasks.evaluation.judging import Query, Space
from tasks.vectors.tables import WordVectors

WORDS = 3_000
TABLE = np.random.default_rng(0).standard_normal((WORDS, 20), np.float32)
SPACE = Space(WordVectors([f"w{row}" for row in range(WORDS)], np.ones(WORDS, np.int64), TABLE))


def query(rows: Any, space: Space = SPACE) -> Query:
    return Query(np.asarray(rows), space.vectors.rows(np.asarray(rows)))


def together(*asked: Coroutine[Any, Any, Any]) -> list[Any]:
    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_the_bits_do_not_depend_on_who_else_asks() -> None:
    """Forty requests of one to thirty words and neighbours, together: the answers to each are those to it alone."""
    rng = np.random.default_rng(1)
    asked = [(rng.integers(WORDS, size=rng.integers(1, 30)), int(rng.integers(1, 30))) for _ in range(40)]
    queue, sizes = Batches(2, 16 * WORDS), []

    def noted(batch: Any) -> Any:
        sizes.append(sum(len(asked.row) for _, asked in batch))
        return nearest(batch)

    nearest = batches._nearest
    with patch.object(batches, "_nearest", noted):
        found = together(*(queue.nearest(SPACE, query(rows), k) for rows, k in asked))

    assert max(sizes) == 16
    assert found == [
        [vectors.nearest(SPACE, query(rows[one : one + 1]), k)[0] for one in range(len(rows))] for rows, k in asked
    ]


def test_a_long_request_waits_for_short_ones() -> None:
    """A request of a thousand words comes first, and is answered last."""
    queue, ended = Batches(1, 8 * WORDS), []

    async def ask(words: int) -> None:
        await queue.nearest(SPACE, query(np.arange(words)), 5)
        ended.append(words)

    together(ask(1_000), *(ask(1) for _ in range(20)))

    assert ended == [1] * 20 + [1_000]


def test_another_champion_has_a_product_of_its_own() -> None:
    """Requests to two tables at once are each answered from their own."""
    other = Space(WordVectors(["a", "b"], np.ones(2, np.int64), TABLE[:2]))
    queue = Batches(1, 100 * WORDS)
    found = together(*(queue.nearest(space, query([0], space), 1) for space in (SPACE, other, SPACE, other)))

    assert [near[0][0][0] for near in found[1::2]] == ["b", "b"]
    assert found[0] == found[2] == vectors.nearest(SPACE, query([0]), 1)


def test_a_failure_reaches_those_who_asked_and_no_others() -> None:
    """A product that fails is an error to its requests; the next ones are answered."""
    queue = Batches(1, WORDS)
    failed = together(queue.nearest(SPACE, Query(np.array([0]), np.ones((1, 3))), 1))  # of another size
    found = together(queue.nearest(SPACE, query([3]), 1))

    assert isinstance(failed[0], ValueError)
    assert len(found[0][0]) == 1


@pytest.mark.parametrize("gone", [True, False])
def test_a_client_that_has_gone_disturbs_nobody(gone: bool) -> None:
    """A cancelled request is dropped, and those beside it are answered."""
    queue = Batches(1, WORDS)

    async def asked() -> tuple[Any, Any]:
        first, second = (asyncio.create_task(queue.nearest(SPACE, query([row]), 2)) for row in (1, 2))
        await asyncio.sleep(0)
        if gone:
            first.cancel()
        return await asyncio.gather(first, second, return_exceptions=True)  # type: ignore[return-value]

    first, second = asyncio.run(asked())

    assert isinstance(first, asyncio.CancelledError) == gone
    assert second == vectors.nearest(SPACE, query([2]), 2)
