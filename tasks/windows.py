"""tokens, vocabulary → windows: one draw of the whole corpus for one epoch, or the held-out windows."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from configs.schema import Windows as Extraction
from tasks.datasets import contracts
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft
from tasks.engine.threads import ordered_map
from tasks.errors import InputError
from w2v_core.randomness import generator
from w2v_core.windows import Windows, draw, everything

FEW_DOCUMENTS = 20  # with fewer, none must be held out


class Shard(NamedTuple):
    """A file of the tokens, with the counts before it."""

    number: int
    file: Path
    rows: int
    documents: int  # in earlier parts


class Positions(NamedTuple):
    """The known words of one shard of tokens that take part, in order."""

    words: int  # including those outside the vocabulary
    row: NDArray[np.int32]  # row of the tokens dataset: a document or a sentence
    word: NDArray[np.int32]


@stage("windows")
def windows(
    tokens: Dataset,
    vocabulary: Dataset,
    config: Extraction,
    seed: int,
    epoch: int | None,
    draft: Draft,
    context: Context,
) -> Account:
    """Write the draw of `epoch`, or for None the held-out windows, whose rows with radius 0 are only context."""
    table = contracts.read(vocabulary.files()[0], contracts.VOCABULARY)
    keep = table["keep_probability"].to_numpy()
    held_out = held_out_documents(tokens.manifest.account.read, config.held_out_fraction)
    words = known = longest = 0

    def draw_shard(shard: Shard) -> tuple[Positions, Windows]:
        found = _positions(shard, table["word"], held_out, inside=epoch is None)
        if epoch is None:
            return found, everything(found.row, found.word, config.window)
        rng = generator(seed, "windows", epoch, shard.number)
        return found, draw(found.row, found.word, keep, config.window, rng=rng)

    def drawn() -> Iterator[Windows]:
        nonlocal words, known, longest
        for found, shard in ordered_map(draw_shard, _shards(tokens), context.threads):
            words, known = words + found.words, known + len(found.word)
            longest = max(longest, _longest(found.row))
            yield shard

    if epoch is None:
        shards = iter([_judge_some(_joined(list(drawn())), config.held_out_windows)])
    else:
        shards = _cut(drawn(), config.shard_rows)
    written = 0
    for number, shard in enumerate(shards):
        contracts.write(draft.file(f"part-{number:05d}.parquet"), contracts.WINDOWS, pa.table(vars(shard)))
        written += len(shard)
        draft.report(words, tokens.manifest.facts["tokens"], f"{written:,} windows")

    if epoch is not None and longest < max(2, config.window):
        raise InputError(too_wide(config.window, longest))
    if epoch is not None and not written:
        raise InputError(_none_left(known))
    draft.facts.update(words=words, epoch=epoch)
    left_out = {"unknown": words - known, "subsampled": known - written}
    return Account(unit="windows", read=words, written=written, left_out=left_out)


def held_out_documents(documents: int, fraction: float) -> NDArray[np.bool_]:
    """Return which documents are held out: the same ones each time, also after the corpus has grown."""
    priority = generator(0, "held-out").random(documents)
    chosen = priority < fraction
    if fraction and documents >= FEW_DOCUMENTS and not chosen.any():
        chosen[priority.argmin()] = True
    return chosen


def _shards(tokens: Dataset) -> Iterator[Shard]:
    number = rows = documents = 0
    for part in tokens.parts:
        for file in part.manifest.files:
            yield Shard(number, part.path / file.name, rows, documents)
            number += 1
            rows += file.rows or 0
        documents += part.manifest.account.read


def _positions(shard: Shard, vocabulary: pa.ChunkedArray, held_out: NDArray[np.bool_], *, inside: bool) -> Positions:
    table = contracts.read_tokens(shard.file)
    lists = table["tokens"]
    lengths = pc.list_value_length(lists).to_numpy()
    takes_part = np.repeat(held_out[shard.documents + table["document"].to_numpy()] == inside, lengths)
    row = np.repeat(np.arange(shard.rows, shard.rows + len(table), dtype=np.int32), lengths)
    word = _ids(pc.list_flatten(lists), vocabulary)
    used = takes_part & (word >= 0)
    return Positions(int(takes_part.sum()), row[used], word[used])


def _ids(words: pa.ChunkedArray, vocabulary: pa.ChunkedArray) -> NDArray[np.int32]:
    """Return the id of each word, −1 if it is unknown; each distinct word of a chunk is looked up once."""
    ids = [np.empty(0, np.int32)]
    for chunk in words.chunks:
        distinct = chunk.dictionary.cast(pa.string())
        id_of = pc.index_in(distinct, value_set=vocabulary.combine_chunks()).fill_null(-1).to_numpy()
        ids.append(id_of[chunk.indices.to_numpy()])
    return np.concatenate(ids)


def _cut(shards: Iterable[Windows], rows: int) -> Iterator[Windows]:
    """Yield the windows in shards of at least `rows` rows (the last may have fewer), cut between documents."""
    waiting: list[Windows] = []
    for shard in shards:
        waiting.append(shard)
        while sum(map(len, waiting)) > rows:
            joined = _joined(waiting)
            end = int(np.searchsorted(joined.document, joined.document[rows - 1], side="right"))
            yield joined[:end]
            waiting = [joined[end:]]
    yield _joined(waiting)


def _joined(shards: list[Windows]) -> Windows:
    return Windows(
        np.concatenate([shard.document for shard in shards]),
        np.concatenate([shard.center for shard in shards]),
        np.concatenate([shard.radius for shard in shards]),
    )


def _judge_some(shard: Windows, limit: int) -> Windows:
    """Keep the radius of at most `limit` windows, the same ones each time."""
    order = generator(0, "held-out windows").permutation(len(shard))
    radius = shard.radius.copy()
    radius[order[limit:]] = 0
    return replace(shard, radius=radius)


def _longest(row: NDArray[np.int32]) -> int:
    return int(np.bincount(row - row[0]).max()) if len(row) else 0


def _none_left(known: int) -> str:
    return (
        "no window is left in an epoch\nexpected  words to learn from\n"
        f"found     {known:,} words, all dropped as too frequent\nRaise vocabulary.subsample, or set it to 0."
    )


def too_wide(window: int, longest: int) -> str:
    """Return the error for a window wider than any document."""
    return (
        f"windows.window is wider than any document\nexpected  a document of at least {max(2, window)} known words\n"
        f"found     {longest} in the longest\n"
        "Lower windows.window or vocabulary.min_count, or make documents longer than a line or a sentence."
    )
