"""Neighbours for many requests at once: those that arrive while others are computed are answered together.

A product of the table with 32 words takes half as long as 32 products with one, since each reads the whole table.
"""

import asyncio
from collections import deque
from typing import NamedTuple

import numpy as np
from starlette.concurrency import run_in_threadpool

from flows.query import vectors
from flows.query.vectors import Named
from tasks.evaluation.judging import Query, Space

ANSWERS = 2_000  # words × neighbours in one product


class Request(NamedTuple):
    """A request for the k nearest words of each word."""

    space: Space
    query: Query
    k: int
    found: list[list[Named]]  # so far, in the order of the words
    answered: "asyncio.Future[None]"


class Batches:
    """The requests that wait. Those at the head are computed in one product, a long one in turn with the others.

    So that memory is bounded, a product has few scores and few answers.
    """

    def __init__(self, workers: int, scores: int) -> None:
        """Compute in `workers` threads, each with at most `scores` scores at once, or those of one word."""
        self._idle, self._scores = workers, scores
        self._waiting: deque[Request] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def nearest(self, space: Space, query: Query, k: int) -> list[list[Named]]:
        """Return the k words nearest to each word, with their cosines, nearest first."""
        request = Request(space, query, k, [], asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._idle:
            self._idle -= 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await request.answered
        return request.found

    async def _work(self) -> None:
        """Answer requests until none waits."""
        try:
            while batch := self._next():
                try:
                    found = await run_in_threadpool(_nearest, batch)
                except Exception as error:
                    for request, _ in batch:
                        _end(request, error)
                else:
                    self._give(batch, found)
        finally:
            self._idle += 1

    def _next(self) -> list[tuple[Request, Query]]:
        """Take the requests of the next product from the queue, each with the words that are asked in it."""
        batch: list[tuple[Request, Query]] = []
        left = 1
        while self._waiting and left > 0:
            request = self._waiting[0]
            if not batch:
                space, k = request.space, request.k
                left = max(1, min(self._scores // max(1, len(space)), ANSWERS // k))
            elif request.space is not space or request.k > k:  # another champion's, or more than there is memory for
                break
            self._waiting.popleft()
            start = len(request.found)
            part = slice(start, start + left)
            batch.append((request, Query(request.query.row[part], request.query.unit[part])))
            left -= len(batch[-1][1].row)
        return batch

    def _give(self, batch: list[tuple[Request, Query]], found: list[list[list[Named]]]) -> None:
        for (request, _), answers in zip(batch, found, strict=True):
            request.found.extend(answers)
            if len(request.found) == len(request.query.row):
                _end(request)
            else:
                self._waiting.append(request)  # behind those that came meanwhile


def _nearest(batch: list[tuple[Request, Query]]) -> list[list[list[Named]]]:
    """Return for each request the answers to its words."""
    query = Query(*(np.concatenate(column) for column in zip(*(query for _, query in batch), strict=True)))
    near = iter(vectors.nearest(batch[0][0].space, query, max(request.k for request, _ in batch)))
    return [[next(near)[: request.k] for _ in query.row] for request, query in batch]


def _end(request: Request, error: Exception | None = None) -> None:
    if request.answered.done():  # its client has gone
        return
    if error:
        request.answered.set_exception(error)
    else:
        request.answered.set_result(None)
