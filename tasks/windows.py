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
from tasks.engine.facts import TokenPartFacts, TokensFacts, WindowsFacts, WindowsPartFacts, recorded
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft, joined
from tasks.engine.threads import ordered_map
from tasks.errors import InputError
from tasks.held_out import chosen, own_choice
from w2v_core.randomness import generator
from w2v_core.windows import Windows, draw, everything

SHORTEST = 2  # known words of a document from which anything can be learnt


class TokenShard(NamedTuple):
    """A file of a part of the tokens, with the rows of the part before it."""

    number: int
    file: Path
    rows: int


class Positions(NamedTuple):
    """The known words of one shard of tokens that take part, in order."""

    words: int  # including those outside the vocabulary
    row: NDArray[np.int32]  # row of the part: a document or a sentence
    word: NDArray[np.int32]


def largest(config: Extraction) -> int:
    """Return the largest radius that any window has."""
    return config.bound if config.window == "document" else config.window


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
    """Write the draw of `epoch`, or for None the held-out windows, whose rows with radius 0 are only context.

    A draw is made part by part, each addressed by the content of its tokens, so that a corpus that grows anywhere keeps
    the draws of what it had.
    """
    parts = tokens.parts
    shared = {"vocabulary": vocabulary, "config": config, "seed": seed, "epoch": epoch}
    held_out = chosen(parts, config)
    each = ({"tokens": part, "held_out": rows, **shared} for part, rows in zip(parts, held_out, strict=True))
    made = _part.parts(each, [recorded(TokenPartFacts, part)["tokens"] for part in parts], draft, context)
    account = joined(made)
    draft.facts.update(WindowsFacts(words=account.read, epoch=epoch))
    if epoch is None:
        rows = _judge_some(_joined(list(_apart(made))), config.held_out_windows)
        contracts.write(draft.file("part-00000.parquet"), contracts.WINDOWS, pa.table(vars(rows)))
        return account

    longest = max(recorded(WindowsPartFacts, part)["longest"] for part in made)
    if longest < SHORTEST:
        raise InputError(too_short(longest))
    if not account.written:
        raise InputError(_none_left(account.read - account.left_out["unknown"]))
    draft.parts = made
    return account


@stage("windows")
def _part(
    tokens: Dataset,
    vocabulary: Dataset,
    held_out: list[int] | None,
    config: Extraction,
    seed: int,
    epoch: int | None,
    draft: Draft,
    context: Context,
) -> Account:
    """Write the draw of one part, or its held-out positions. `held_out` are its documents if they are chosen for it."""
    table = contracts.read(vocabulary.files()[0], contracts.VOCABULARY)
    keep = table["keep_probability"].to_numpy()
    spared = own_choice(tokens, config.held_out_fraction)
    if held_out is not None:
        spared = np.isin(np.arange(len(spared)), held_out)
    files = _shards(tokens) if epoch is not None or spared.any() else ()  # else no text is held out of this part
    words = known = longest = 0
    whole = config.window == "document"

    def draw_shard(shard: TokenShard) -> tuple[Positions, Windows]:
        found = _positions(shard, table["word"], spared, inside=epoch is None)
        if epoch is None:
            return found, everything(found.row, found.word, largest(config))
        rng = generator(seed, "windows", epoch, int(tokens.digest, 16), shard.number)
        shrink = config.shrink and not whole
        return found, draw(found.row, found.word, keep, largest(config), shrink=shrink, shuffle=whole, rng=rng)

    def drawn() -> Iterator[Windows]:
        nonlocal words, known, longest
        for found, shard in ordered_map(draw_shard, files, context.threads):
            words, known = words + found.words, known + len(found.word)
            longest = max(longest, _longest(found.row))
            yield shard

    written = 0
    for number, shard in enumerate(_cut(drawn(), config.shard_rows)):
        contracts.write(draft.file(f"part-{number:05d}.parquet"), contracts.WINDOWS, pa.table(vars(shard)))
        written += len(shard)
        draft.report(words, max(words, recorded(TokensFacts, tokens)["tokens"]), f"{written:,} windows")
    draft.facts.update(WindowsPartFacts(longest=longest))
    left_out = {"unknown": words - known, "subsampled": known - written}
    return Account(unit="windows", read=words, written=written, left_out=left_out)


def _shards(tokens: Dataset) -> Iterator[TokenShard]:
    rows = 0
    for number, file in enumerate(tokens.manifest.files):
        yield TokenShard(number, tokens.path / file.name, rows)
        rows += file.rows or 0


def _positions(
    shard: TokenShard, vocabulary: pa.ChunkedArray, held_out: NDArray[np.bool_], *, inside: bool
) -> Positions:
    table = contracts.read(shard.file, contracts.TOKENS)
    row = np.arange(shard.rows, shard.rows + len(table), dtype=np.int32)
    takes_part = held_out[table["document"].to_numpy()] == inside
    lists = table["tokens"].combine_chunks()
    if not takes_part.all():
        row, lists = row[takes_part], lists.filter(pa.array(takes_part))
    words = lists.flatten()
    word = _ids(words, vocabulary)
    row = np.repeat(row, lists.value_lengths().to_numpy())
    known = word >= 0
    return Positions(len(words), row[known], word[known])


def _ids(words: pa.DictionaryArray, vocabulary: pa.ChunkedArray) -> NDArray[np.int32]:
    """Return the id of each word, −1 if it is unknown; each distinct word is looked up once."""
    id_of = pc.index_in(words.dictionary, value_set=vocabulary.combine_chunks()).fill_null(-1).to_numpy()
    ids: NDArray[np.int32] = id_of[words.indices.to_numpy()]
    return ids


def _cut(shards: Iterable[Windows], rows: int) -> Iterator[Windows]:
    """Yield the windows in shards of at least `rows` rows (the last may have fewer), cut between documents."""
    waiting: list[Windows] = []
    for shard in shards:
        waiting.append(shard)
        while sum(map(len, waiting)) > rows:
            whole = _joined(waiting)
            end = int(np.searchsorted(whole.document, whole.document[rows - 1], side="right"))
            yield whole[:end]
            waiting = [whole[end:]]
    if sum(map(len, waiting)):
        yield _joined(waiting)


def _apart(parts: Iterable[Dataset]) -> Iterator[Windows]:
    """Yield the rows of all parts, with documents numbered through: a window ends with its document."""
    before = 0
    yield Windows(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))
    for part in parts:
        for file in part.files():
            columns = [column.to_numpy() for column in contracts.read(file, contracts.WINDOWS).columns]
            shard = Windows(columns[0] + np.int32(before), *columns[1:])
            yield shard
            last = int(shard.document[-1])
        before = last + 1 if part.manifest.files else before


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


def too_short(longest: int) -> str:
    """Return the error for documents in which no word has another beside it."""
    return (
        f"no document has two words with a vector\nexpected  a document of at least {SHORTEST} known words\n"
        f"found     {longest} in the longest\n"
        "Lower vocabulary.min_count, or make documents longer than a line or a sentence."
    )
