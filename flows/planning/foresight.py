"""Find problems before the work starts: scores that will be missing, too little memory or disk, texts without words."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from configs.loading import ConfigError
from configs.schema import Config
from flows.planning import cost, words_ahead
from flows.planning.cost import Expected
from flows.planning.plan import Plan
from tasks import notes
from tasks.datasets.files import digest_of
from tasks.engine.workers.choice import Choice
from tasks.errors import Unreachable
from tasks.held_out import held_out_documents
from tasks.ingestion import estimate
from tasks.readers.documents import Document
from tasks.sweeps import ranking
from tasks.tracking.names import LOSS, LOSS_PER_PAIR, MEAN_COSINE
from tasks.tracking.session import Tracker
from tasks.training import rounds

IMPOSSIBLE = 2  # refuse at this multiple of the available amount: the estimates are orders of magnitude
LONG = 7 * 86_400.0  # seconds; warn about a longer training
SHOWN = 5  # documents
_FORESEEN: set[str] = set()  # digests of configs
LEARNT = {LOSS, LOSS_PER_PAIR, MEAN_COSINE}  # scores that need no evaluation set


class Foreseen(NamedTuple):
    """The expected cost of each stage that runs, by label, and the warnings to show before."""

    expected: dict[str, Expected]
    warnings: list[str]
    engine: Choice | None  # None if the size of the text is not known


def foresee(config: Config, tracker: Tracker, planned: Plan) -> Foreseen:
    """Estimate the cost, and collect warnings. Raises ConfigError or InputError for what would fail later."""
    _check_scores(config)
    warnings = _of_tracking(tracker)
    seen = cost.seen(config, planned)
    found = words_ahead.counted(planned)
    if found is None and seen.texts:
        read = words_ahead.count(config, seen)
        warnings += [*read.warnings, *_held_out(config, seen)]
        found = read.grown(seen.corpus.characters / sum(map(len, seen.texts))) if seen.corpus else None
    if found:
        warnings += rounds.warnings(config.training, [int(found.windows)] * config.training.epochs)
    expected = cost.expect(config, seen.corpus, found) if seen.corpus and found else {}
    runs = {step.label: of_stage(expected, step.label) for step in planned.steps if not step.output}
    there = {label: each for label, each in runs.items() if each}
    _FORESEEN.add(_of(config))
    engine = cost.engine(config, seen.corpus) if seen.corpus else None
    if engine and "tokenization" in runs:
        warnings += _workers(engine)
    return Foreseen(expected, [*warnings, *(_sizes(config, there) if there else [])], engine)


def foresee_once(config: Config, tracker: Tracker, planned: Plan) -> list[str]:
    """Return the warnings, or none if this process has shown them already, as a command does but a worker does not."""
    return [] if _of(config) in _FORESEEN else foresee(config, tracker, planned).warnings


def _of(config: Config) -> str:
    return digest_of(config.model_dump(mode="json"))


def _held_out(config: Config, seen: estimate.Seen) -> Iterator[str]:
    """Yield a warning if documents are to be held out, all documents were seen, and none is held out."""
    fraction, number = config.windows.held_out_fraction, int(seen.corpus.documents) if seen.corpus else 0
    if seen.whole and fraction and not held_out_documents(number, fraction).any():
        yield f"none of {number:,} documents is held out, so J(θ) will not be known. {notes.HOLD_OUT}"


def of_stage(expected: dict[str, Expected], label: str) -> Expected | None:
    """Return the cost of a stage by its label; `windows-003` has the cost of any draw."""
    return expected.get(label) or expected.get(label.partition("-")[0])


def words_of(config: Config, texts: list[Document]) -> list[list[str]]:
    """Return the words of each text. Raises InputError if tokenization.pattern is not valid."""
    table = words_ahead.tokenized(config, [each.text for each in texts])
    found: list[list[str]] = [[] for _ in texts]
    for row, words in zip(table["document"].to_pylist(), table["tokens"].to_pylist(), strict=True):
        found[row] += words
    return found


def sampled(config: Config) -> list[tuple[str, list[str]]]:
    """Return the names of the first documents, and their words."""
    texts = estimate.first(config.ingestion, Path(config.runtime.workspace), SHOWN)
    return list(zip([each.name for each in texts], words_of(config, texts), strict=True)) if texts else []


def _of_tracking(tracker: Tracker) -> list[str]:
    """Return a warning if MLflow cannot be reached. Raises TrackingError if the experiment is deleted."""
    try:
        tracker.check_experiment()
    except Unreachable as error:
        return [f"{error.args[0].splitlines()[0]}: a retraining waits for it"] if tracker.required else []
    return []


def _check_scores(config: Config) -> None:
    known = [*ranking.judged(config.evaluation, config.tokenization), *LEARNT]
    for key, names in {"gates": config.promotion.gates, "floors": list(config.promotion.floors)}.items():
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"promotion.{key}: {name}\nexpected  one of {', '.join(known)}\n"
                    "found     a score that no run of this config will have\n"
                    "Name its set in evaluation.similarity, .analogies or .domain, or remove the score."
                )


def _sizes(config: Config, runs: dict[str, Expected]) -> Iterator[str]:
    """Yield warnings about memory, disk and time. Raises ConfigError if far more is needed than there is."""
    label, most = max(runs.items(), key=lambda item: item[1].memory)
    memory, disk = psutil.virtual_memory().total, _free(Path(config.runtime.workspace))
    if most.memory > memory:
        size = max(1, int(config.training.vector_size * (memory - cost.BASE) / most.memory))
        yield _tight(
            f"memory of {label}",
            most.memory,
            memory,
            f"training.vector_size={size} would fit, or fewer words by vocabulary.max_size, or a smaller batch",
        )
    wanted = sum(each.disk for each in runs.values())
    if wanted > disk:
        epochs = max(1, int(config.training.epochs * disk / wanted))
        yield _tight(
            "disk for the store",
            wanted,
            disk,
            f"training.epochs={epochs} would fit, or another disk by --set runtime.workspace=FOLDER",
        )
    seconds = sum(each.seconds for each in runs.values())
    if seconds > LONG:
        yield f"this will take about {seconds / 86_400:,.0f} days: fewer training.epochs take less"


def _workers(chosen: Choice) -> Iterator[str]:
    """Yield a warning if all workers of this machine together need more memory than it has."""
    memory, wanted = psutil.virtual_memory().total, cost.BASE + chosen.workers * chosen.memory
    if wanted > memory:
        fits = max(1, int((memory - cost.BASE) / chosen.memory))
        amounts = f"about {wanted / 1e6:,.0f} MB of {memory / 1e6:,.0f} MB"
        yield f"memory of {chosen}: {amounts}; runtime.workers={fits} would fit"


def _tight(what: str, wanted: float, there: float, fits: str) -> str:
    """Return the warning. Raises ConfigError if far more is needed than there is."""
    if wanted < IMPOSSIBLE * there:
        return f"{what}: about {wanted / 1e6:,.0f} MB of {there / 1e6:,.0f} MB; {fits}"
    raise ConfigError(
        f"{what}\nexpected  at most {there / 1e6:,.0f} MB, which this machine has\n"
        f"found     about {wanted / 1e6:,.0f} MB\n{fits}."
    )


def _free(workspace: Path) -> int:
    """Return the free bytes on the disk of the workspace, which need not exist yet."""
    there = next(folder for folder in (workspace.absolute(), *workspace.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free
