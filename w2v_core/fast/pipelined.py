"""Training on blocks: two batches in flight, in one thread or two.

Batch b + 1 gathers its rows before the update of batch b, not after it, so that two threads
can each take every other batch and hardly ever wait for one another:

    thread 1    gather 0   products 0    update 0   gather 2   products 2    update 2 …
    thread 2         gather 1   products 1    update 1   gather 3   products 3 …

After ROUND batches the next one waits for all: only there do the tables alone say where training stands.

What a batch sees, and the order of the updates, is the same for one thread as for two.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Condition

import numpy as np
from threadpoolctl import ThreadpoolController

from w2v_core.fast.blocks import Batch, Blocks, Shard
from w2v_core.randomness import generator
from w2v_core.training import Step
from w2v_core.windows import Windows

ROUND = 64  # batches after which all updates are in
MEASURED = 15  # one batch in so many measures its loss; odd, so that both lanes do


class InFlight:
    """The learner. The two `lanes` are alike and share a model; `threads`, of which two are used, change no bit."""

    def __init__(self, lanes: tuple[Blocks, Blocks], *, threads: int = 1) -> None:
        self.lanes, self.threads = lanes, threads
        self.settings = lanes[0].settings
        self.libraries = ThreadpoolController()  # to look for them takes milliseconds

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        """A step is a round of batches."""
        if len(windows) == 0:
            return
        lane = self.lanes[0]
        blocks, size = lane.blocks, lane.blocks * lane.length
        shard = Shard.of(windows, lane.length, self.settings.window, lane.skip_gram)
        batches = -(-len(windows) // size)
        order = generator(self.settings.seed, "order", *place).permutation(len(shard)) if lane.random_order else None

        def batches_of(numbers: range) -> Iterator[Batch]:
            """Those of a lane in a round, whose noise words are drawn at once."""
            rng = generator(self.settings.seed, "training", *place, numbers.start)
            noise = lane.draw(len(numbers) * blocks, rng=rng)
            for number, words in zip(numbers, noise.reshape(len(numbers), blocks, noise.shape[1]), strict=True):
                at = slice(number * blocks, (number + 1) * blocks)
                stack = shard.blocks(at if order is None else order[at])
                yield Batch(number, stack, words[: len(stack)], learning_rate(number * size), number % MEASURED == 0)

        with self.libraries.limit(limits=1, user_api="blas"), ThreadPoolExecutor(1) as pool:
            for start in range(first * ROUND, batches, ROUND):
                numbers = range(start, min(start + ROUND, batches))
                work = list(zip(self.lanes, (batches_of(numbers[0::2]), batches_of(numbers[1::2])), strict=True))
                if self.threads > 1:
                    self._together(pool, work, _Turns(numbers))
                else:
                    self._alone(work, numbers)
                pairs, loss = np.sum([lane.measured() for lane in self.lanes], axis=0)
                yield Step(min(numbers.stop * size, len(windows)) - start * size, int(pairs), float(loss), len(numbers))

    def _alone(self, work: "list[Work]", numbers: range) -> None:
        """One thread in both lanes: the next batch gathers its rows, then this one's update is made."""
        before = None
        for number in numbers:
            lane, batches = work[number % 2]
            lane.gather(next(batches))
            if before:
                before.update()
            lane.multiply()
            before = lane
        lane.update()

    def _together(self, pool: ThreadPoolExecutor, work: "list[Work]", turns: "_Turns") -> None:
        """A thread in each lane, this one in the first; the caller's np.errstate holds in both."""
        other = pool.submit(copy_context().run, _take, work[1], turns)
        _take(work[0], turns)
        other.result()


Work = tuple[Blocks, Iterator[Batch]]


def _take(work: Work, turns: "_Turns") -> None:
    """The batches of a lane in a round, as long as the other thread does its part."""
    lane, batches = work
    with turns.kept():
        for batch in batches:
            lane.gather(batch)
            turns.gathered()
            lane.multiply()
            if not turns.come(batch.number):
                return
            lane.update()
            turns.updated()


class _Turns:
    """Update b comes after update b − 1, and after batch b + 1 has gathered its rows."""

    def __init__(self, numbers: range) -> None:
        self._changed = Condition()
        self._gathered = self._updated = numbers.start
        self._end = numbers.stop
        self._broken = False

    def gathered(self) -> None:
        with self._changed:
            self._gathered += 1
            self._changed.notify()

    def updated(self) -> None:
        with self._changed:
            self._updated += 1
            self._changed.notify()

    def come(self, number: int) -> bool:
        """Wait for the turn of this update; False if it never comes, as the other thread has failed."""
        ready = min(number + 2, self._end)
        with self._changed:
            self._changed.wait_for(lambda: self._broken or (self._updated == number and self._gathered >= ready))
            return not self._broken

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A thread that fails is not waited for."""
        try:
            yield
        except BaseException:
            with self._changed:
                self._broken = True
                self._changed.notify()
            raise
