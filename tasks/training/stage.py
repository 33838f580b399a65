"""vocabulary, windows → vectors: run the core over the shards, save checkpoints, and record the curve.

Vectors of earlier epochs to keep are written beside the checkpoints as each epoch ends, and copied to the output at the
end, since the output of a killed attempt is deleted.

Points of the curve lie at fixed positions in the corpus, so the curve is as reproducible as the vectors. Measured times
(words per second, waiting) go into the manifest's facts, which are not part of the content.
"""

import functools
import logging
import shutil
from contextlib import closing

import pyarrow as pa
from threadpoolctl import threadpool_limits

from configs.schema import Tokenization, Training
from tasks.datasets import contracts
from tasks.engine import environment, progress
from tasks.engine.interrupts import interruptible
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft
from tasks.errors import Paused, TrainingError
from tasks.settings import settings_of
from tasks.text.normalization import Rules
from tasks.training import files, rounds
from tasks.training.initialization import start, start_digests
from tasks.training.session import TrainingSession
from tasks.vectors import tables
from w2v_core.fast.adding import IN_PLACE
from w2v_core.training import Diverged

log = logging.getLogger("w2v")

TEXT = Tokenization()


@stage("training", outside=start_digests, rounds=True)
def training(
    vocabulary: Dataset,
    draws: list[Dataset],
    held_out: Dataset,
    config: Training,
    window: int,
    seed: int,
    draft: Draft,
    context: Context,
    tokenization: Tokenization = TEXT,
) -> Account:
    """Write vectors.parquet, the vectors of earlier epochs to keep, and curve.parquet; the account counts windows.

    The rules by which `tokenization` normalised the words are stored with their vectors.
    """
    words = contracts.read(vocabulary.files()[0], contracts.VOCABULARY, ["word", "count"])
    if not IN_PLACE:
        _tell_of_slowness()
    begin = start(words["word"].to_pylist(), config, seed, tokenization)
    settings = settings_of(config, window, seed)
    windows = files.read_windows(held_out.files()[0])
    for text in rounds.warnings(config, [draw.manifest.account.written for draw in draws]):
        if not progress.warned(text):
            log.warning("⚠ %s", text)
    session = TrainingSession(settings, begin, words, config, draws, windows, draft, context)
    with closing(session), threadpool_limits(1, "blas"), interruptible() as interrupt:
        draft.facts["environment"] = environment.describe()  # of the training, which may be published elsewhere
        try:
            while not session.paused and session.step():
                if interrupt or session.paused or session.checkpoint_due:
                    session.save()
                if interrupt:
                    raise KeyboardInterrupt
        except Diverged as error:
            raise TrainingError(f"{error}\n{session.checkpoints.kept}") from error

    session.end()
    if session.paused:
        raise Paused(context.run_id, losses(session.curve.table))
    files.write_vectors(draft.file(tables.FINAL), words, session.model)
    if parts := session.model.parts:
        files.write_subwords(draft.file(tables.SUBWORDS), parts.subwords)
    for name in map(tables.EARLIER.format, tables.kept_epochs(config)):
        shutil.copyfile(session.checkpoints.folder / name, draft.file(name))
    contracts.write(draft.file("curve.parquet"), contracts.CURVE, session.curve.table)
    draft.facts.update(session.facts, **begin.facts, vector_size=config.vector_size)
    draft.facts["rules"] = Rules.of(tokenization).dumps()
    return Account(unit="windows", read=session.total, written=session.total)


@functools.cache  # once a process
def _tell_of_slowness() -> None:
    log.warning(
        "⚠ this SciPy has no in-place product (scipy.sparse._sparsetools.coo_matmat_dense): training gives the same "
        "vectors, but more slowly"
    )


def losses(curve: pa.Table) -> list[float]:
    """Return J(θ) at the start and at the end of each epoch; empty if no window was held out."""
    found: list[float] = curve["held_out_loss"].drop_null().to_pylist()
    return found
