"""tokens → phrases → tokens: find words that belong together, and write them as one word, such as `new_york`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Phrases, Tokenization
from tasks.datasets import contracts
from tasks.engine.facts import PhrasesFacts, TokensFacts, recorded
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft, joined
from tasks.engine.threads import ordered_map
from tasks.errors import InputError
from tasks.phrases.finding import find
from tasks.phrases.text import Joiner, Text, read_text, with_phrases
from tasks.text.normalization import Rules, forms

FILE = "phrases.parquet"
EXAMPLES = 10  # phrases that the manifest names
TEXT = Tokenization()


@stage("phrases")
def phrases(
    tokens: Dataset, config: Phrases, draft: Draft, context: Context, tokenization: Tokenization = TEXT
) -> Account:
    """Write one row per phrase, pass by pass, by falling count, then words; the account counts frequent pairs.

    Connectors are normalised as `tokenization` normalised the text. Raises InputError for one that is not a word.
    """
    files = tokens.files()
    scans = 2 * config.passes * len(files)
    done = 0

    def read(joiners: Sequence[Joiner]) -> Iterator[Text]:
        nonlocal done
        for text in ordered_map(lambda file: with_phrases(read_text(file), joiners), files, context.threads):
            done += 1
            draft.report(done, scans, f"pass {len(joiners) + 1}")
            yield text

    found, considered = find(read, config, connectors(config, tokenization))
    contracts.write(draft.file(FILE), contracts.PHRASES, found)
    best = found.sort_by([("count", "descending"), ("phrase", "ascending")])["phrase"][:EXAMPLES]
    draft.facts.update(PhrasesFacts(phrases=len(found), examples=best.to_pylist()))
    left_out = {"below the threshold": considered - len(found)}
    return Account(unit="frequent pairs", read=considered, written=len(found), left_out=left_out)


@stage("joined")
def join(
    tokens: Dataset, phrases: Dataset, config: Phrases, draft: Draft, context: Context, tokenization: Tokenization
) -> Account:
    """Write the tokens with their phrases as words, part by part and file by file; the account counts documents."""
    sizes = [part.manifest.account.written for part in tokens.parts]
    given = {"phrases": phrases, "config": config, "tokenization": tokenization}
    draft.parts = _part.parts(({"tokens": part, **given} for part in tokens.parts), sizes, draft, context)
    words = sum(recorded(TokensFacts, part)["tokens"] for part in draft.parts)
    draft.facts.update(tokens.manifest.facts | {"tokens": words})
    return joined(draft.parts)


@stage("joined")
def _part(
    tokens: Dataset, phrases: Dataset, config: Phrases, draft: Draft, context: Context, tokenization: Tokenization
) -> Account:
    between = connectors(config, tokenization)
    joiners = [Joiner(found, between) for found in by_pass(contracts.read(phrases.path / FILE, contracts.PHRASES))]

    def join_file(file: Path) -> int:
        text = with_phrases(read_text(file), joiners)
        document = contracts.read(file, contracts.TOKENS, ["document"])["document"]
        table = pa.table({"document": document, "tokens": text.lists()})
        contracts.write(draft.file(file.name), contracts.TOKENS, table)
        return len(text.id)

    words, files = 0, tokens.files()
    for done, written in enumerate(ordered_map(join_file, files, context.threads), start=1):
        words += written
        draft.report(done, len(files), f"{words:,} words")
    draft.facts.update(tokens.manifest.facts | {"tokens": words})
    return tokens.manifest.account


def by_pass(found: pa.Table) -> list[pa.Table]:
    """Return the phrases of each pass."""
    last = pc.max(found["pass"]).as_py() or 0
    return [found.filter(pc.field("pass") == number) for number in range(1, last + 1)]


def connectors(config: Phrases, tokenization: Tokenization) -> list[str]:
    """Return the connectors in the form of the text. Raises InputError for one that is not a word there."""
    found = forms(config.connectors, Rules.of(tokenization))
    for typed, form in zip(config.connectors, found, strict=True):
        if len(form) != 1:
            raise InputError(
                f"phrases.connectors: {typed!r}\nexpected  one word of the text\nfound     {len(form)} words\n"
                "Write connectors as they are after [tokenization]."
            )
    return sorted({form[0] for form in found})
