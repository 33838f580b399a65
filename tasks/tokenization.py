"""documents → tokens: cut texts into words, whole shards at a time."""

import logging
from collections import Counter
from collections.abc import Iterator
from operator import add
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Tokenization
from tasks.datasets import contracts
from tasks.engine import progress
from tasks.engine.facts import TokenPartFacts, TokensFacts, recorded
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft, joined
from tasks.engine.threads import ordered_map
from tasks.errors import InputError
from tasks.text import patterns, segmenters
from tasks.text.cutting import cut
from tasks.text.normalization import BREAK, Rules, normalized, spaceless

log = logging.getLogger("w2v")
FILES = 4  # of documents, 2 MB of text each by default, that become one part of tokens: a second's work
SAMPLED, BEGINNING = 100, 1_000  # texts of a file, and characters of each, that are sampled for their script
SENTENCE_END = r"""[.!?…]+["'”’»)\]]*\s+|[。！？]+[」』”’）]*\s*|\n\s*\n"""


class Counts(NamedTuple):
    """Counts of one file of tokens."""

    documents: int
    with_words: int
    rows: int
    tokens: int
    sampled: Counter[str]  # characters by script without spaces between words; "" counts all


def _segmenter(config: Tokenization) -> dict[str, str] | None:
    patterns.check(config.pattern)
    return segmenters.known(config.segmenter)


@stage("tokenization", outside=_segmenter)
def tokenization(documents: Dataset, config: Tokenization, draft: Draft, context: Context) -> Account:
    """Write one row per document, or per sentence, with at least one word; in order, part by part and file by file.

    Raises InputError, before the output is looked up, if the pattern or the segmenter cannot be used.
    """
    for warning in patterns.warnings(config.pattern):
        log.warning(warning)
    cut = [piece for part in documents.parts for piece in _slices(part)]
    each = ({"documents": part, "first": first, "config": config} for part, first, _ in cut)
    draft.parts = _part.parts(each, [rows for _, _, rows in cut], draft, context)
    account = joined(draft.parts)
    found = [recorded(TokenPartFacts, part) for part in draft.parts]
    total = TokensFacts(tokens=sum(each["tokens"] for each in found), rows=sum(each["rows"] for each in found))
    if not total["tokens"]:
        raise InputError(no_word(account.read, config))
    sampled = sum((Counter(each["sampled"]) for each in found), Counter[str]())
    if shares := clauses(sampled, config):
        total["spaceless"] = shares
    draft.facts.update(total)
    if (text := segmenters.unspaced(shares)) and not progress.warned(text):
        log.warning(text)
    return account


def _slices(part: Dataset) -> Iterator[tuple[Dataset, int, int]]:
    """Yield the pieces of a part that are tokenized apart: the part, the number of the first file, the documents."""
    rows = [file.rows or 0 for file in part.manifest.files if file.name.endswith(".parquet")]
    for first in range(0, max(1, len(rows)), FILES):
        yield part, first, sum(rows[first : first + FILES])


@stage("tokenization", outside=_segmenter)
def _part(documents: Dataset, first: int, config: Tokenization, draft: Draft, context: Context) -> Account:
    """Write the tokens of FILES files of a part from number `first` on; the documents are numbered from 0 again."""
    files = documents.files()[first : first + FILES]
    before = contracts.read(files[0], contracts.DOCUMENTS, ["document"])["document"][0].as_py() if first else 0

    def tokenize_file(file: Path) -> Counts:
        table = contracts.read(file, contracts.DOCUMENTS, ["document", "text"])
        document = pc.subtract(table["document"].combine_chunks(), before)
        tokens = tokenize(document, table["text"].combine_chunks(), config)
        rows = contracts.write(draft.file(f"part-{files.index(file):05d}.parquet"), contracts.TOKENS, tokens)
        with_words = pc.count_distinct(tokens["document"]).as_py()
        total = pc.sum(pc.list_value_length(tokens["tokens"])).as_py() or 0
        return Counts(len(table), with_words, rows, total, scripts(table["text"].combine_chunks()))

    total = Counts(0, 0, 0, 0, Counter())
    for done, counts in enumerate(ordered_map(tokenize_file, files, context.threads), start=1):
        total = Counts(*map(add, total, counts))
        draft.report(done, len(files), f"{total.tokens:,} words")
    draft.facts.update(TokenPartFacts(tokens=total.tokens, rows=total.rows, sampled=total.sampled))
    left_out = {"without a word": total.documents - total.with_words}
    return Account(unit="documents", read=total.documents, written=total.with_words, left_out=left_out)


def tokenize(document: pa.Array, text: pa.Array, config: Tokenization) -> pa.Table:
    """Return the words of each text as columns `document` and `tokens`; texts without a word have no row."""
    if config.kind == "items":
        found = pc.not_equal(text, "")
        return pa.table({"document": document.filter(found), "tokens": pc.split_pattern(text.filter(found), BREAK)})
    if config.sentences:
        sentences = pc.split_pattern_regex(normalized(text, config.lowercase), SENTENCE_END)
        document, text = document.take(pc.list_parent_indices(sentences)), pc.list_flatten(sentences)
    found, lists = cut(text, Rules.of(config)).lists()
    return pa.table({"document": document.filter(found), "tokens": lists})


def scripts(text: pa.Array) -> Counter[str]:
    """Count the characters of scripts without spaces, and under "" all, in the beginnings of sampled texts."""
    chosen = text.take(pa.array(range(0, len(text), max(1, len(text) // SAMPLED))))
    beginnings = pc.utf8_slice_codeunits(chosen, 0, BEGINNING)
    return Counter(spaceless(beginnings)) + Counter({"": pc.sum(pc.utf8_length(beginnings)).as_py() or 0})


def clauses(sampled: Counter[str], config: Tokenization) -> dict[str, float]:
    """Return the share of each such script, if the config leaves its clauses unsegmented."""
    left_whole = config.segmenter is None and config.pattern is None and config.kind == "text"
    return {name: count / sampled[""] for name, count in sampled.items() if name and left_whole}


def no_word(documents: int, config: Tokenization) -> str:
    """Return the error for documents without any word."""
    if config.kind == "items":
        return f"no item in {documents:,} documents\nexpected  ids\nfound     none\nCheck the documents."
    expected = f"matches of tokenization.pattern, {config.pattern!r}" if config.pattern else "letters or digits"
    return (
        f"no word in {documents:,} documents\nexpected  {expected}\n"
        "found     none\nChange [tokenization], or check the documents."
    )
