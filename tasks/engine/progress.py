"""What people see while a stage works: a bar in a terminal, lines in a log, an artifact on Prefect's page."""

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
LINE_SECONDS = 10.0  # between two lines where there is no terminal
ONE_OF_MANY = re.compile(r"-\d{3,}$")  # such as `windows-003`: a line of its own only where it lasts
ARTIFACT_SECONDS = 3.0  # between two writes to Prefect's server
LAST_SECONDS = 10.0  # that the last one may take
_FORETOLD: set[str] = set()  # what this process has said before the work


class Report:
    """Called as report(done, total, text) by the work."""

    def __init__(self, name: str, stack: ExitStack) -> None:
        self._name = name
        self._stack = stack
        self._bar: Any = None
        self._artifact: UUID | None = None
        self._courier = Courier()
        self._away = False  # Prefect's server
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
        """Move the artifact of the Prefect task run we are in, if any; a server that is away is said once."""
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
        except (HTTPError, RuntimeError) as error:  # Prefect's own is a RuntimeError
            if not self._away:
                log.warning("Prefect's server does not answer (%s). The work goes on.", error)
            self._away = True
            return
        if self._away:
            log.info("Prefect's server answers again")
        self._away = False


@contextmanager
def reporting(name: str) -> Iterator[Report]:
    with ExitStack() as stack:
        yield Report(name, stack)


def reused(name: str, dataset: "Dataset") -> None:
    level = logging.DEBUG if ONE_OF_MANY.search(name) else logging.INFO
    log.log(level, "= %-12s %s  (reused)", name, summary(dataset))


def drawn(draws: "list[Dataset]", *, reused: bool) -> None:
    """One line for the draws of all epochs; they are reused if all are."""
    rows = sum(draw.manifest.account.written for draw in draws)
    size = sum(file.bytes for draw in draws for file in draw.manifest.files) / 1e6
    mark, end = ("=", "  (reused)") if reused else ("✓", "")
    log.info("%s %-12s %s windows in %d draws, %.1f MB%s", mark, "windows", f"{rows:,}", len(draws), size, end)


def continued(name: str, epoch: float, share: float) -> None:
    log.info("  %-12s goes on from epoch %.2f, %.0f%%", name, epoch, 100 * share)


def partly(name: str, new: int, parts: int) -> None:
    log.info("  %-12s %d of %d parts %s new", name, new, parts, "is" if new == 1 else "are")


def told(name: str, text: str) -> None:
    """Something that is not expected, at a stage's end; not again if it was said before the work."""
    if text not in _FORETOLD:
        log.info("  %-12s %s", name, text)
    _FORETOLD.discard(text)


def foretold(name: str, text: str) -> None:
    """The same before the work."""
    log.info("  %-12s %s", name, text)
    _FORETOLD.add(text)


def warned(text: str) -> bool:
    """Whether a warning of these words was given before the work; the next one is not."""
    found = text in _FORETOLD
    _FORETOLD.discard(text)
    return found


def warn(text: str) -> None:
    """Before the work."""
    log.warning("⚠ %s", text)
    _FORETOLD.add(text)


def summary(dataset: "Dataset") -> str:
    """`4,104 documents (12 empty, 310 duplicate left out), 33 MB in 3 files`."""
    manifest = dataset.manifest
    account = manifest.account
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in account.left_out.items() if count)
    size = sum(file.bytes for part in dataset.parts for file in part.manifest.files) / 1e6
    return f"{account.written:,} {account.unit}" + (f" ({left_out} left out)" if left_out else "") + f", {size:.1f} MB"
