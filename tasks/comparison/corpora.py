"""Compare a corpus with the one that the champion was trained on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.datasets import contracts
from tasks.engine.store import FrozenModel
from w2v_core.measures.corpora import jensen_shannon, surprise

LISTED = 20  # words of each kind
BURST = 2  # smallest ratio of the frequencies, now to before
SURPRISING = 15.13  # G² that is exceeded by chance for one word in ten thousand
NAMED = 8  # words that a sentence lists


class CorpusCounts(NamedTuple):
    """The size of a corpus, and the words of its vocabulary with their counts."""

    documents: int
    tokens: int
    words: list[str]
    counts: "np.ndarray[tuple[int], np.dtype[np.int64]]"


class News(FrozenModel):
    """The differences between a corpus and the champion's."""

    against: str  # version
    documents: tuple[int, int]  # the champion's, and now
    tokens: tuple[int, int]
    outside: float  # share of the tokens outside the champion's vocabulary
    divergence: float  # Jensen–Shannon divergence of the word frequencies, in bits
    appeared: list[str]  # the first of them, by falling count
    vanished: list[str]
    burst: list[str]  # of the words in both vocabularies, the most surprising first
    counted: tuple[int, int, int]  # numbers of words that appeared, vanished, burst

    def __str__(self) -> str:
        listed = (self.appeared, self.vanished, self.burst)
        kinds = [
            f"{count:,} words {kind}{_examples(words, count)}"
            for count, kind, words in zip(self.counted, ("appeared", "vanished", "burst"), listed, strict=True)
        ]
        return (
            f"Against the corpus of version {self.against}: {_grown('documents', *self.documents)}, "
            f"{_grown('tokens', *self.tokens)}; {self.outside:.2%} of the tokens outside its vocabulary; word "
            f"frequencies diverge by {self.divergence:.4f} bits (Jensen–Shannon); {', '.join(kinds)}."
        )


def compare(against: str, before: CorpusCounts, now: CorpusCounts, outside: float) -> News:
    """Return the differences between the corpus `before` of version `against` and `now`."""
    words = list(dict.fromkeys([*before.words, *now.words]))
    old, new = (_counts(corpus, words) for corpus in (before, now))
    share_old, share_new = old / before.tokens, new / now.tokens
    appeared, vanished = np.flatnonzero((old == 0) & (new > 0)), np.flatnonzero((new == 0) & (old > 0))
    surprising = surprise(old, new)
    burst = np.flatnonzero((old > 0) & (share_new >= BURST * share_old) & (surprising >= SURPRISING))
    burst = burst[np.argsort(-surprising[burst], kind="stable")]
    return News(
        against=against,
        documents=(before.documents, now.documents),
        tokens=(before.tokens, now.tokens),
        outside=outside,
        divergence=jensen_shannon(old, new),
        appeared=[words[row] for row in appeared[:LISTED]],
        vanished=[words[row] for row in vanished[:LISTED]],
        burst=[words[row] for row in burst[:LISTED]],
        counted=(len(appeared), len(vanished), len(burst)),
    )


def outside(files: list[Path], known: list[str]) -> float:
    """Return the share of the tokens in these files that are not among the known words."""
    total = unknown = 0
    for file in files:
        words = contracts.read(file, contracts.TOKENS, ["tokens"])["tokens"].combine_chunks().flatten()
        strange = pc.invert(pc.is_in(words.dictionary, value_set=pa.array(known, pa.string())))
        total += len(words)
        unknown += int(np.count_nonzero(strange.to_numpy(zero_copy_only=False)[words.indices.to_numpy()]))
    return unknown / total


def _counts(corpus: CorpusCounts, words: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    counts = dict(zip(corpus.words, corpus.counts.tolist(), strict=True))
    return np.array([counts.get(word, 0) for word in words], np.int64)


def _examples(words: list[str], count: int) -> str:
    """Return the first of the words in brackets; empty if there are none."""
    if not count:
        return ""
    rest = " …" if count > NAMED else ""
    return f" ({' '.join(words[:NAMED])}{rest})"


def _grown(unit: str, before: int, now: int) -> str:
    return f"{now:,} {unit} ({now - before:+,})"
