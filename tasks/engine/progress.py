"""Progress of a stage: a bar in a terminal, lines in a log, an artifact on Prefect's page."""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasks.display.terminal import one_line
from tasks.engine.background import Courier

if TYPE_CHECKING:
    from tasks.engine.store import Dataset

log = logging.getLogger("w2v")
LINE_SECONDS = 10.0  # between two log lines without a terminal
ONE_OF_MANY = re.compile(r"-\d{3,}$")  # such as `windows-003`: it gets a line of its own only if it takes long
ARTIFACT_SECONDS = 3.0  # between two writes to Prefect's server
LAST_SECONDS = 10.0  # limit for the last write
_LOGGED_BEFORE: set[str] = set()  # texts that this process has logged before the work


class Report:
    """Shows the progress of one stage; the work calls it as report(done, total, text)."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        self._name = name
        self._stack = stack
        self._bar: Any = None
        self._artifact: UUID | None = None
        self._courier = Courier()
        self._away = False  # whether Prefect's server cannot be reached
        self._last_line = self._last_artifact = time.monotonic()

    def __call__(self, done: float, total: float, text: str = "") -> None:
        now = time.monotonic()
        if sys.stderr.isatty():
            self._draw(done, total, text)
        elif now - self._last_line > LINE_SECONDS:
            self._last_line = now
            log.info("  %-12s %3.0f%%  %s", self._name, 100 * done / total, text)
        if now - self._last_artifact > ARTIFACT_SECONDS:
            self._last_artifact = now
            self._courier.send(lambda: self._publish(100 * done / total, text))

    def finish(self, dataset: "Dataset", seconds: float) -> None:
        """Close the bar, log one line with the result, and complete the artifact."""
        self._stack.close()
        if self._artifact:
            self._courier.wait(LAST_SECONDS)
            self._courier.send(lambda: self._publish(100.0, summary(dataset)))
            self._courier.wait(LAST_SECONDS)
        level = logging.DEBUG if ONE_OF_MANY.search(self._name) and seconds < LINE_SECONDS else logging.INFO
        log.log(level, "✓ %-12s %s  (%.1f s)", self._name, summary(dataset), seconds)

    def _draw(self, done: float, total: float, text: str) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            name = TextColumn("  {task.description:<12}", markup=False)
            columns = (name, BarColumn(), "{task.percentage:>3.0f}%", TimeRemainingColumn())
            progress = Progress(*columns, TextColumn("{task.fields[text]}", markup=False), transient=True)
            self._bar = self._stack.enter_context(progress)
            self._bar.add_task(self._name, total=total, text=one_line(text))
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, text=one_line(text))

    def _publish(self, percent: float, text: str) -> None:
        """Update the artifact of the current Prefect task run, if any. Log once if the server cannot be reached."""
        prefect = sys.modules.get("prefect")
        if prefect is None or prefect.context.TaskRunContext.get() is None:
            return
        from httpx import HTTPError
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        try:
            if self._artifact is None:
                created = create_progress_artifact(percent, key=f"{self._name}-progress", description=text)
                assert isinstance(created, UUID)
                self._artifact = created
            else:
                update_progress_artifact(self._artifact, percent, description=text)
        except (HTTPError, RuntimeError) as error:  # Prefect raises a RuntimeError of its own
            if not self._away:
                log.warning("Prefect's server does not answer (%s). The work goes on.", error)
            self._away = True
            return
        if self._away:
            log.info("Prefect's server answers again")
        self._away = False


@contextmanager
def reporting(name: str) -> Iterator[Report]:
    """Yield the report of the stage `name`; close its bar at the end of the block."""
    with ExitStack() as stack:
        yield Report(name, stack)


def reused(name: str, dataset: "Dataset") -> None:
    """Log that a stage's output comes from the store."""
    level = logging.DEBUG if ONE_OF_MANY.search(name) else logging.INFO
    log.log(level, "= %-12s %s  (reused)", name, summary(dataset))


def drawn(draws: "list[Dataset]", *, reused: bool) -> None:
    """Log one line for the draws of windows of all epochs; `reused` if all of them come from the store."""
    rows = sum(draw.manifest.account.written for draw in draws)
    size = sum(file.bytes for draw in draws for part in draw.parts for file in part.manifest.files) / 1e6
    mark, end = ("=", "  (reused)") if reused else ("✓", "")
    count = "1 draw" if len(draws) == 1 else f"{len(draws)} draws"
    log.info("%s %-12s %s windows in %s, %.1f MB%s", mark, "windows", f"{rows:,}", count, size, end)


def continued(name: str, epoch: float, share: float) -> None:
    """Log where a training resumes: at which epoch, and at which share 0 … 1 of the whole."""
    log.info("  %-12s goes on from epoch %.2f, %.0f%%", name, epoch, 100 * share)


def partly(name: str, new: int, parts: int) -> None:
    """Log how many parts of a stage's output had to be computed."""
    log.info("  %-12s %d of %d parts %s new", name, new, parts, "is" if new == 1 else "are")


def note(name: str, text: str) -> None:
    """Log something unexpected at a stage's end, unless it was logged before the work."""
    if text not in _LOGGED_BEFORE:
        log.info("  %-12s %s", name, text)
    _LOGGED_BEFORE.discard(text)


def foretold(name: str, text: str) -> None:
    """Log something unexpected before the work, and do not repeat it at the stage's end."""
    log.info("  %-12s %s", name, text)
    _LOGGED_BEFORE.add(text)


def warned(text: str) -> bool:
    """Return True if this warning was logged before the work, and forget it: the next one is logged again."""
    found = text in _LOGGED_BEFORE
    _LOGGED_BEFORE.discard(text)
    return found


def warn(text: str) -> None:
    """Log a warning before the work."""
    log.warning("⚠ %s", text)
    _LOGGED_BEFORE.add(text)


def summary(dataset: "Dataset") -> str:
    """Return one line about an output, such as `4,104 documents (12 empty, 310 duplicate left out), 33.0 MB`."""
    manifest = dataset.manifest
    account = manifest.account
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in account.left_out.items() if count)
    size = sum(file.bytes for part in dataset.parts for file in part.manifest.files) / 1e6
    return f"{account.written:,} {account.unit}" + (f" ({left_out} left out)" if left_out else "") + f", {size:.1f} MB"
