"""Pipelined training on blocks: two batches in flight, in one thread or two.

Batch b + 1 gathers its rows before the update of batch b, not after it, so that two threads can take batches in turn
and rarely wait for each other:

    thread 1    gather 0   products 0    update 0   gather 2   products 2    update 2 …
    thread 2         gather 1   products 1    update 1   gather 3   products 3 …

After ROUND batches the next one waits for all updates: only there do the tables hold the whole state of the training.

What a batch reads, and the order of the updates, are the same in one thread and in two. So are the results, to the bit.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Condition

import numpy as np
from threadpoolctl import ThreadpoolController

from w2v_core.fast.blocks import Batch, Blocks
from w2v_core.fast.shard import Shard
from w2v_core.randomness import generator
from w2v_core.training import Step
from w2v_core.windows import Windows

ROUND = 64  # batches after which all updates are made
MEASURED = 15  # one batch in MEASURED computes its loss; odd, so that both lanes have such batches


class InFlight:
    """The learner of the fast path."""

    def __init__(self, lanes: tuple[Blocks, Blocks], *, threads: int = 1) -> None:
        """Take two equal workspaces that share a model. At most two `threads` are used; they change no bit."""
        self.lanes, self.threads = lanes, threads
        self.settings = lanes[0].settings
        self.libraries = ThreadpoolController()  # finding the BLAS libraries takes milliseconds, so it is done once

    def learn(
        self, windows: Windows, place: tuple[int, int], learning_rate: Callable[[int], float], first: int = 0
    ) -> Iterator[Step]:
        """Learn the shard at `place` (epoch, shard); a step is a round of up to ROUND batches."""
        if len(windows) == 0:
            return
        lane = self.lanes[0]
        blocks, size = lane.blocks, lane.blocks * lane.length
        shard = Shard.of(windows, lane.length, self.settings.window, lane.skip_gram)
        batches = -(-len(windows) // size)
        # Blocks are shuffled, if at all, not windows: the products need neighbours side by side.
        order = generator(self.settings.seed, "order", *place).permutation(len(shard)) if lane.random_order else None

        def batches_of(lane: Blocks, numbers: range) -> Iterator[Batch]:
            """Yield the batches of one lane in a round; what can be is computed for all of them together."""
            if not numbers:
                return
            at = np.add.outer(np.array(numbers) * blocks, np.arange(blocks)).ravel()
            at = at[at < len(shard)]  # the last batch may be short
            rng = generator(self.settings.seed, "training", *place, numbers.start)
            lane.begin(shard.blocks(at if order is None else order[at]), lane.draw(len(at), rng=rng))
            for count, number in enumerate(numbers):
                own = slice(count * blocks, min((count + 1) * blocks, len(at)))
                yield Batch(number, own, learning_rate(number * size), number % MEASURED == 0)

        # The products are small: BLAS threads would cost more than they save, and two threads of ours fill two cores.
        with self.libraries.limit(limits=1, user_api="blas"), ThreadPoolExecutor(1) as pool:
            for start in range(first * ROUND, batches, ROUND):
                # Even batches go to the first lane, odd ones to the second.
                numbers = range(start, min(start + ROUND, batches))
                work = [(lane, batches_of(lane, numbers[number::2])) for number, lane in enumerate(self.lanes)]
                # Both ways make the same gathers and updates in the same order; only who makes them differs.
                if self.threads > 1:
                    self._together(pool, work, _Turns(numbers))
                else:
                    self._alone(work, numbers)
                pairs, loss = np.sum([lane.measured() for lane in self.lanes], axis=0)
                yield Step(min(numbers.stop * size, len(windows)) - start * size, int(pairs), float(loss), len(numbers))

    def _alone(self, work: "list[Work]", numbers: range) -> None:
        """Run a round in one thread: each batch gathers its rows just before the update of the one before."""
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
        """Run a round with a thread in each lane, this one in the first; the caller's np.errstate holds in both."""
        other = pool.submit(copy_context().run, _take, work[1], turns)
        _take(work[0], turns)
        other.result()


Work = tuple[Blocks, Iterator[Batch]]


def _take(work: Work, turns: "_Turns") -> None:
    """Run the batches of one lane in a round; stop early if the other thread fails."""
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
    """The order of two threads: update b waits for update b − 1, and until batch b + 1 has gathered its rows."""

    def __init__(self, numbers: range) -> None:
        self._changed = Condition()
        self._gathered = self._updated = numbers.start
        self._end = numbers.stop
        self._broken = False

    def gathered(self) -> None:
        """Record that one more batch has gathered its rows."""
        with self._changed:
            self._gathered += 1
            self._changed.notify()

    def updated(self) -> None:
        """Record that one more update is made."""
        with self._changed:
            self._updated += 1
            self._changed.notify()

    def come(self, number: int) -> bool:
        """Wait for the turn of update `number` and return True; return False if the other thread has failed."""
        # Update b needs b + 2 gathers, those of batches up to b + 1; the last batch of a round has no successor.
        ready = min(number + 2, self._end)
        with self._changed:
            self._changed.wait_for(lambda: self._broken or (self._updated == number and self._gathered >= ready))
            return not self._broken

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Mark the round as broken if the body raises, so that the other thread stops waiting."""
        try:
            yield
        except BaseException:
            with self._changed:
                self._broken = True
                self._changed.notify()
            raise
