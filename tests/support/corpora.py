"""Small corpora as datasets, for tests that start in the middle of the pipeline."""

import pyarrow as pa

from tasks.datasets import contracts
from tasks.datasets.files import digest_of
from tasks.engine.stage import Context
from tasks.engine.store import Account, Dataset, Draft, joined


def tokens_of(context: Context, shards: list[list[str]]) -> Dataset:
    """Return a tokens dataset with one document for each text."""

    def work(draft: Draft) -> Account:
        document = 0
        for number, texts in enumerate(shards):
            ids = list(range(document, document + len(texts)))
            table = pa.table({"document": ids, "tokens": [text.split() for text in texts]})
            contracts.write(draft.file(f"part-{number:05d}.parquet"), contracts.TOKENS, table)
            document += len(texts)
        draft.facts["tokens"] = sum(len(text.split()) for texts in shards for text in texts)
        return Account(unit="documents", read=document, written=document)

    return context.store.make("tokenization", digest_of(shards), {}, work, lambda *_: None)


def tokens_in_parts(context: Context, parts: list[list[list[str]]]) -> Dataset:
    """Return the same dataset in several parts, each of several shards."""
    made = [tokens_of(context, shards) for shards in parts]

    def join(draft: Draft) -> Account:
        draft.parts = made
        draft.facts["tokens"] = sum(part.manifest.facts["tokens"] for part in made)
        return joined(made)

    return context.store.make("tokenization", digest_of(["in parts", parts]), {}, join, lambda *_: None)
