"""Count words before the work: how many there are, how many get a vector, and whether a window fits into a text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Config
from flows.planning.plan import TO_COME, Plan
from tasks.datasets.word_lists import chosen
from tasks.engine.facts import TokensFacts, VocabularyFacts, recorded
from tasks.errors import InputError
from tasks.ingestion.estimate import Seen
from tasks.phrases.finding import find
from tasks.phrases.stage import by_pass, connectors
from tasks.phrases.text import Joiner, text_of, with_phrases
from tasks.text.normalization import Rules
from tasks.text.segmenters import unspaced
from tasks.tokenization import clauses, no_word, scripts, tokenize
from tasks.vocabulary import empty, frequent, sorted_counts
from tasks.windows import SHORTEST, too_short
from w2v_core.vocabulary import keep_probabilities


class Words(NamedTuple):
    """The counts of the text, or of its beginning."""

    words: float
    vocabulary: float
    windows: float  # per epoch
    warnings: Sequence[str] = ()

    def grown(self, times: float) -> "Words":
        """Extrapolate to a text `times` as long; the vocabulary grows by Heaps' law, with exponent 0.5."""
        return self._replace(
            words=self.words * times, windows=self.windows * times, vocabulary=self.vocabulary * times**0.5
        )


def counted(planned: Plan) -> Words | None:
    """Return the exact counts from the store, or None if the windows are not drawn yet."""
    trained = planned.outputs.trained
    if TO_COME in trained.draws:
        return None
    tokens = recorded(TokensFacts, trained.tokens)["tokens"]
    vocabulary = recorded(VocabularyFacts, trained.vocabulary)["words"]
    return Words(tokens, vocabulary, trained.draws[0].manifest.account.written)


def count(config: Config, seen: Seen) -> Words:
    """Count the sampled texts. Raises InputError if these are the whole text and a stage would have no input."""
    lists = tokenized(config, seen.texts)["tokens"].combine_chunks()
    if config.phrases.passes:
        lists = _with_phrases(config, lists)
    flat = pc.list_flatten(lists).cast(pa.string())
    warnings = [unspaced(clauses(scripts(pa.array(seen.texts, pa.large_string())), config.tokenization))]
    if not len(flat):
        return _nothing(seen, no_word(len(seen.texts), config.tokenization))
    found = pc.value_counts(flat)
    every = sorted_counts(pa.table({"word": found.field("values"), "count": found.field("counts")}))
    try:
        known, listed = _vocabulary(config, every)
    except InputError as error:
        return _nothing(seen, str(error))
    counts = known["count"].to_numpy()
    if not counts.any():
        return _nothing(seen, empty(every, len(flat), config.vocabulary))

    in_row = pc.list_parent_indices(lists).to_numpy()[pc.is_in(flat, value_set=known["word"]).to_numpy(False)]
    longest = int(np.bincount(in_row).max())
    if longest < SHORTEST:
        warnings += _nothing(seen, too_short(longest)).warnings
    windows = float(counts @ keep_probabilities(counts, config.vocabulary.subsample))
    if windows < 1:
        warnings.append(
            "subsampling drops nearly all words as too frequent: raise vocabulary.subsample, or set it to 0"
        )
    return Words(len(flat), listed or len(known), windows, list(filter(None, warnings)))


def tokenized(config: Config, texts: Sequence[str | None]) -> pa.Table:
    """Return the tokens of the texts. Raises InputError if tokenization.pattern is not a valid RE2 expression."""
    rows = pa.array(range(len(texts)), pa.int64()), pa.array(texts, pa.large_string())
    try:
        return tokenize(*rows, config.tokenization)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"tokenization.pattern\nexpected  an RE2 expression of one word, such as [a-z]+\n"
            f"found     {config.tokenization.pattern!r}: {error}\nRE2 has no look-around and no back-references."
        ) from error


def _with_phrases(config: Config, lists: pa.Array) -> pa.Array:
    """Return the words with the phrases of this text: exact if it is the whole text."""
    between = connectors(config.phrases, config.tokenization)
    text = text_of(lists)
    found, _ = find(lambda joiners: [with_phrases(text, joiners)], config.phrases, between)
    return with_phrases(text, [Joiner(each, between) for each in by_pass(found)]).lists()


def _vocabulary(config: Config, every: pa.Table) -> tuple[pa.Table, int]:
    """Return the words that occur and get a vector, and the length of the fixed list, or 0 if there is no list.

    Raises InputError if no word of the list occurs.
    """
    if not (path := config.vocabulary.fixed):
        return frequent(every, config.vocabulary), 0
    listed = chosen(path, "vocabulary.fixed", every["word"], "the text", Rules.of(config.tokenization)).words
    return every.filter(pc.is_in(every["word"], value_set=pa.array(listed, pa.string()))), len(listed)


def _nothing(seen: Seen, message: str) -> Words:
    """Return the message as a warning. Raises InputError with it if the whole text was seen."""
    if seen.whole:
        raise InputError(message)
    what, *details, way = message.splitlines()
    found = next((" ".join(line.split()[1:]) for line in details if line.startswith("found")), "")
    return Words(0, 0, 0, [f"in the first {len(seen.texts):,} documents, {what} ({found}). {way}"])
