"""documents → tokens: what counts as a word, decided by regular expressions over whole shards at a time."""

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Tokenization
from tasks import _contracts
from tasks._errors import InputError
from tasks._normalization import Rules, normalized, words
from tasks._parallel import ordered_map
from tasks._stage import Context, stage
from tasks._store import Account, Dataset, Draft, joined

SENTENCE_END = r"""[.!?…]+["'”’»)\]]*\s+|[。！？]+[」』”’）]*\s*|\n\s*\n"""


class Counts(NamedTuple):
    documents: int
    with_words: int
    rows: int
    tokens: int


@stage
def tokenization(documents: Dataset, config: Tokenization, draft: Draft, context: Context) -> Account:
    """One row a document, or a sentence of one, that holds a word; in order, part by part and file by file."""
    _check_pattern(config)
    sizes = [part.manifest.account.written for part in documents.parts]
    each = ({"documents": part, "config": config} for part in documents.parts)
    draft.parts = _part.parts(each, sizes, draft, context)
    account = joined(draft.parts)
    facts = [part.manifest.facts for part in draft.parts]
    draft.facts.update({name: sum(each[name] for each in facts) for name in ("tokens", "rows")})
    if not draft.facts["tokens"]:
        raise InputError(_no_word(account.read, config))
    return account


@stage
def _part(documents: Dataset, config: Tokenization, draft: Draft, context: Context) -> Account:
    def tokenize_file(file: Path) -> Counts:
        table = _contracts.read(file, _contracts.DOCUMENTS, ["document", "text"])
        tokens = tokenize(table["document"].combine_chunks(), table["text"].combine_chunks(), config)
        rows = _contracts.write(draft.file(file.name), _contracts.TOKENS, tokens)
        with_words = pc.count_distinct(tokens["document"]).as_py()
        return Counts(len(table), with_words, rows, pc.sum(pc.list_value_length(tokens["tokens"])).as_py() or 0)

    files = documents.files()
    total = Counts(0, 0, 0, 0)
    for done, counts in enumerate(ordered_map(tokenize_file, files, context.threads), start=1):
        total = Counts(*map(sum, zip(total, counts, strict=True)))
        draft.report(done, len(files), f"{total.tokens:,} words")
    draft.facts.update(tokens=total.tokens, rows=total.rows)
    left_out = {"without a word": total.documents - total.with_words}
    return Account(unit="documents", read=total.documents, written=total.with_words, left_out=left_out)


def tokenize(document: pa.Array, text: pa.Array, config: Tokenization) -> pa.Table:
    """The words of each text, in order, as columns `document` and `tokens`; texts without a word have no row."""
    text = normalized(text, config.lowercase)
    if config.sentences:
        sentences = pc.split_pattern_regex(text, SENTENCE_END)
        document, text = document.take(pc.list_parent_indices(sentences)), pc.list_flatten(sentences)
    found, lists = words(text, Rules.of(config))
    return pa.table({"document": document.filter(found), "tokens": lists})


def _check_pattern(config: Tokenization) -> None:
    if config.pattern is not None:
        try:
            pc.replace_substring_regex(pa.array([""]), config.pattern, "")
        except pa.ArrowInvalid as error:
            raise InputError(
                f"tokenization.pattern\nexpected  an RE2 expression of one word, such as [a-z]+\n"
                f"found     {config.pattern!r}: {error}\nRE2 has no look-around and no back-references."
            ) from error


def _no_word(documents: int, config: Tokenization) -> str:
    expected = f"matches of tokenization.pattern, {config.pattern!r}" if config.pattern else "letters or digits"
    return (
        f"no word in {documents:,} documents\nexpected  {expected}\n"
        "found     none\nChange [tokenization], or look at the documents."
    )
