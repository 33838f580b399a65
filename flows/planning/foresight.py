"""What can be known before the work: scores that will not be there, sizes that cannot be, texts without words."""

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
from tasks.errors import Unreachable
from tasks.ingestion import estimate
from tasks.readers.documents import Document
from tasks.sweeps import ranking
from tasks.tracking import session
from tasks.windows import held_out_documents

IMPOSSIBLE = 2  # times what there is: the estimates are orders of magnitude
LONG = 7 * 86_400.0  # seconds that are said to be many
SHOWN = 5  # documents
_FORESEEN: set[str] = set()  # digests of configs
LEARNT = {"loss/held_out", "loss/held_out_per_pair", "vectors/mean_cosine"}  # scores without a set


class Foreseen(NamedTuple):
    """What the stages that run will take, by label, and what people should know before."""

    expected: dict[str, Expected]
    warnings: list[str]


def foresee(config: Config, planned: Plan) -> Foreseen:
    """Raises ConfigError or InputError for what would fail later."""
    _check_scores(config)
    warnings = _of_tracking(config)
    seen = cost.seen(config, planned)
    found = words_ahead.counted(planned)
    if found is None and seen.texts:
        read = words_ahead.count(config, seen)
        warnings += [*read.warnings, *_held_out(config, seen)]
        found = read.grown(seen.corpus.characters / sum(map(len, seen.texts))) if seen.corpus else None
    expected = cost.expect(config, seen.corpus, found) if seen.corpus and found else {}
    runs = {step.label: of_stage(expected, step.label) for step in planned.steps if not step.output}
    there = {label: each for label, each in runs.items() if each}
    _FORESEEN.add(_of(config))
    return Foreseen(expected, [*warnings, *(_sizes(config, there) if there else [])])


def foresee_once(config: Config, planned: Plan) -> list[str]:
    """The warnings, where this process has not foreseen this config already: a worker starts the flow, no command."""
    return [] if _of(config) in _FORESEEN else foresee(config, planned).warnings


def _of(config: Config) -> str:
    return digest_of(config.model_dump(mode="json"))


def _held_out(config: Config, seen: estimate.Seen) -> Iterator[str]:
    """That no document will be kept from training, where all are seen and some are asked for."""
    fraction, number = config.windows.held_out_fraction, int(seen.corpus.documents) if seen.corpus else 0
    if seen.whole and fraction and not held_out_documents(number, fraction).any():
        yield f"none of {number:,} documents is held out, so J(θ) will not be known. {notes.HOLD_OUT}"


def of_stage(expected: dict[str, Expected], label: str) -> Expected | None:
    """Of `windows-003`, what is expected of any draw."""
    return expected.get(label) or expected.get(label.partition("-")[0])


def words_of(config: Config, texts: list[Document]) -> list[list[str]]:
    """The words of each text. Raises InputError if the pattern of a word is none."""
    table = words_ahead.tokenized(config, [each.text for each in texts])
    found: list[list[str]] = [[] for _ in texts]
    for row, words in zip(table["document"].to_pylist(), table["tokens"].to_pylist(), strict=True):
        found[row] += words
    return found


def sampled(config: Config) -> list[tuple[str, list[str]]]:
    """The first documents, by name, and their words."""
    texts = estimate.first(config.ingestion, Path(config.runtime.workspace), SHOWN)
    return list(zip([each.name for each in texts], words_of(config, texts), strict=True)) if texts else []


def _of_tracking(config: Config) -> list[str]:
    """What MLflow would refuse at the start. Raises TrackingError for an experiment that is deleted."""
    try:
        session.check_experiment(config)
    except Unreachable as error:
        return [f"{error.args[0].splitlines()[0]}: a retraining waits for it"] if config.tracking.required else []
    return []


def _check_scores(config: Config) -> None:
    known = [*ranking.judged(config.evaluation), *LEARNT]
    for key, names in {"gates": config.promotion.gates, "floors": list(config.promotion.floors)}.items():
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"promotion.{key}: {name}\nexpected  one of {', '.join(known)}\n"
                    "found     a score that no run of this config will have\n"
                    "Name its set in evaluation.similarity, .analogies or .domain, or leave it out."
                )


def _sizes(config: Config, runs: dict[str, Expected]) -> Iterator[str]:
    """What is tight, with what would fit. Raises ConfigError for what is out of the question."""
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


def _tight(what: str, wanted: float, there: float, fits: str) -> str:
    """The warning. Raises ConfigError if far more is wanted than there is."""
    if wanted < IMPOSSIBLE * there:
        return f"{what}: about {wanted / 1e6:,.0f} MB of {there / 1e6:,.0f} MB; {fits}"
    raise ConfigError(
        f"{what}\nexpected  at most {there / 1e6:,.0f} MB, which this machine has\n"
        f"found     about {wanted / 1e6:,.0f} MB\n{fits}."
    )


def _free(workspace: Path) -> int:
    """Bytes free where the workspace is, or will be."""
    there = next(folder for folder in (workspace.absolute(), *workspace.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free
