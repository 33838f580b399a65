"""Copy a part's output into the service's log, with limits on repeated lines.

Of lines that differ only in numbers, at most SAME are copied in each PERIOD, and at most MOST lines in all; the others
are counted. So a part that is attacked, or fails in a loop, cannot push everything else out of the log.
"""

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import IO

from tasks.refusals import Refusal, in_last

PERIOD = 60.0  # seconds
SAME, MOST = 20, 1_000  # lines
LONGEST = 10_000  # characters of a line; a longer line is split
KINDS = 1_000  # kinds of lines that are counted separately
LAST = 100  # lines searched for the cause of an end, which is followed by SQL and the last words of each server
NUMBER = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", re.IGNORECASE)


class Copied:
    """Pass lines to `say`, within the limits."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._since, self._lines = clock(), 0
        self._alike: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._last: deque[str] = deque(maxlen=LAST)

    @property
    def cause(self) -> Refusal | None:
        """Return the cause of a failure in the last lines, if any."""
        return in_last(list(self._last))

    def line(self, text: str) -> None:
        """Pass a line on, or count it if its limit is reached."""
        self._last.append(text)
        if self._clock() - self._since > PERIOD:
            self.tell()
        kind = NUMBER.sub("…", text)[:200]
        if kind not in self._alike and len(self._alike) >= KINDS:
            kind = "lines of many kinds"
        self._alike[kind] += 1
        if self._alike[kind] > SAME or self._lines >= MOST:
            self._left_out[kind] += 1
        else:
            self._lines += 1
            self._say(text)

    def tell(self) -> None:
        """Report how many lines were left out, and begin a new period."""
        for kind, number in self._left_out.most_common(SAME):
            self._say(f"({number:,} more: {kind})")
        if rest := sum(number for _, number in self._left_out.most_common()[SAME:]):
            self._say(f"({rest:,} more of other kinds)")
        self._since, self._lines = self._clock(), 0
        self._alike.clear()
        self._left_out.clear()


def lines_of(output: IO[str]) -> Iterator[str]:
    """Yield the lines of a stream until its end, long ones in pieces."""
    for line in iter(lambda: output.readline(LONGEST), ""):
        yield line.rstrip()
