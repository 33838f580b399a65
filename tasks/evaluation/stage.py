"""vectors → evaluation: judge the vectors item by item, and compute scores with confidence intervals."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from configs.schema import Evaluation, Tokenization, Training
from tasks.datasets import contracts
from tasks.engine.facts import EvaluationFacts, JudgedSet
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft
from tasks.engine.workers.call import Report
from tasks.evaluation import domain, judging, learning, scores, sessions
from tasks.evaluation.datasets import digests, judging_files, read_analogies, read_pairs, set_names
from tasks.evaluation.judging import Space
from tasks.settings import settings_of
from tasks.text.normalization import Rules
from tasks.tracking.names import LOSS, LOSS_PER_PAIR
from tasks.vectors import tables
from w2v_core.measures.likelihood import held_out_loss
from w2v_core.model import Model
from w2v_core.training import Settings
from w2v_core.windows import Windows

PROBES = 8
PROBE_RANKS = 200, 2_000  # more frequent words are function words, rarer ones not widely known
SHORTEST = 4  # letters of a probe
FIRST = 5  # unknown words of a set that a message names
TEXT = Tokenization()


@stage("evaluation", outside=lambda config: digests(judging_files(config)), rounds=True)
def evaluation(
    vectors: Dataset,
    held_out: Dataset,
    config: Evaluation,
    training: Training,
    window: int,
    seed: int,
    draft: Draft,
    context: Context,
    tokenization: Tokenization = TEXT,
    drawn: Dataset | None = None,
) -> Account:
    """Write a row per item, known or not; scores and neighbours of the probes go into the manifest's facts.

    So do the scores of earlier epochs that are kept. Words are looked up as `tokenization` normalised them. Vectors of
    items are judged by the sessions of `held_out`, beside what `drawn`, the windows of an epoch, tells without them.
    """
    settings = settings_of(training, window, seed)
    sets: dict[str, JudgedSet] = {}

    windows = _windows(held_out)

    def judged_at(epoch: int | None = None) -> tuple[pa.Table, dict[str, float]]:
        space = Space(tables.load(vectors, epoch)._replace(rules=Rules.of(tokenization)))
        with threadpool_limits(1, "blas"):  # with more threads, BLAS may sum in another order
            near = judging.neighbors(space, config.probes or _typical(space))
            judged = [*_judge(space, config, sets, draft.report, context.threads), near]
            found = _held_out(vectors, epoch, windows, settings) | judging.spread(space)
            if tokenization.kind == "items":
                of_sessions, beside = sessions.judge(space, windows, drawn, config.top, config.bootstrap, seed)
                judged.append(of_sessions)
                sets.update(sessions.described(of_sessions))
                found |= beside
            items = pa.concat_tables(judged)
        return items, found | scores.figures(items, config.bootstrap, seed)

    earlier = {str(epoch): judged_at(epoch)[1] for epoch in tables.kept(vectors)}
    items, metrics = judged_at()
    contracts.write(draft.file("evaluation.parquet"), contracts.EVALUATION, items)
    found = EvaluationFacts(
        sets=sets,
        metrics=metrics,
        learning=learning.learning(vectors, metrics, training.objective, seed),
        bands=scores.bands(items, config.bootstrap, seed),
        neighbors=_by_probe(items.filter(pc.equal(items["judge"], "neighbors"))),
    )
    if earlier:
        found["epochs"] = earlier
    draft.facts.update(found)
    known = pc.sum(items["covered"]).as_py() or 0
    return Account(unit="items", read=len(items), written=known, left_out={"unknown": len(items) - known})


def _judge(
    space: Space, config: Evaluation, sets: dict[str, JudgedSet], report: Report, threads: int
) -> Iterator[pa.Table]:
    files = judging_files(config)
    for done, (file, name) in enumerate(zip(files, set_names(files), strict=True)):
        report(done, len(files), name)
        if file in config.similarity:
            asked = read_pairs(file)
            sets[name] = _described(space, [tuple(sorted(pair.words)) for pair in asked], unseen=True)
            yield judging.pairs(space, name, asked)
        elif file in config.analogies:
            questions = read_analogies(file)
            sets[name] = _described(space, [question.words for question in questions])
            yield judging.analogies(space, name, questions, config.analogy_candidates, threads)
        else:
            wanted = domain.read(file)
            sets[name] = _described(space, wanted.items)
            yield domain.judge(space, name, wanted, config.analogy_candidates, threads)
    if config.probes:
        sets["evaluation.probes"] = _described(space, [(probe,) for probe in config.probes], unseen=True)


def _described(space: Space, items: Sequence[tuple[str, ...]], *, unseen: bool = False) -> JudgedSet:
    """Return the facts of a set: its number of words, the unknown ones, and repeated items.

    With `unseen`, a word that was never seen is known if there are n-grams of it.
    """
    words = list(dict.fromkeys(word for item in items for word in item))
    rows = space.query(words).row if unseen else space.rows(words)
    unknown = [word for word, row in zip(words, rows, strict=True) if row < 0]
    forms = dict(zip(words, map(tuple, space.lookup.forms(words)), strict=True))
    times = Counter(tuple(forms[word] for word in item) for item in items)
    again = [item for item in items if times[tuple(forms[word] for word in item)] > 1]
    return JudgedSet(
        words=len(words),
        unknown=len(unknown),
        first=unknown[:FIRST],
        repeated=len(items) - len(times),
        such_as=" ".join(again[0]) if again else "",
    )


def check_sets(config: Evaluation) -> None:
    """Raises InputError for a set that cannot be read, so that a training need not run first."""
    for file in config.similarity:
        read_pairs(file)
    for file in config.analogies:
        read_analogies(file)
    for file in config.domain:
        domain.read(file)


def _windows(held_out: Dataset) -> Windows:
    table = pa.concat_tables(contracts.read(file, contracts.WINDOWS) for file in held_out.files())
    return Windows(*(column.to_numpy() for column in table.columns))


def _held_out(vectors: Dataset, epoch: int | None, windows: Windows, settings: Settings) -> dict[str, float]:
    """Return J(θ) as the mean over windows and over their pairs; empty if no window was held out."""
    if not windows.radius.any():
        return {}
    learnt = tables.read(vectors, ["count", "input", "output"], epoch)
    theta = np.stack([tables.matrix(learnt["input"]), tables.matrix(learnt["output"])], axis=1)
    found = held_out_loss(Model(theta), windows, settings, learnt["count"].to_numpy())
    return {LOSS: found.per_window, LOSS_PER_PAIR: found.per_pair}


def _typical(space: Space) -> list[str]:
    """Return content words of medium frequency, at equal distances in rank; any words of a small vocabulary."""
    first, last = PROBE_RANKS if len(space) > PROBE_RANKS[1] else (0, len(space))
    words = [str(word) for word in space.words[first:last]]
    words = [word for word in words if len(word) >= SHORTEST and word.isalpha()] or words
    return words[:: max(1, len(words) // PROBES)][:PROBES]


def _by_probe(items: pa.Table) -> dict[str, list[tuple[str, float]]]:
    near: dict[str, list[tuple[str, float]]] = {}
    for row in items.filter(items["covered"]).to_pylist():
        near.setdefault(row["item"], []).append((row["predicted"], round(row["score"], 4)))
    return near
