"""Small corpora as datasets, for tests that start in the middle of the pipeline."""

import pyarrow as pa

from tasks import _contracts
from tasks._stage import Context
from tasks._store import Account, Dataset, Draft, digest_of


def tokens_of(context: Context, shards: list[list[str]]) -> Dataset:
    """A tokens dataset with one document a text."""

    def work(draft: Draft) -> Account:
        document = 0
        for number, texts in enumerate(shards):
            ids = list(range(document, document + len(texts)))
            table = pa.table({"document": ids, "tokens": [text.split() for text in texts]})
            _contracts.write(draft.file(f"part-{number:05d}.parquet"), _contracts.TOKENS, table)
            document += len(texts)
        draft.facts["tokens"] = sum(len(text.split()) for texts in shards for text in texts)
        return Account(unit="documents", read=document, written=document)

    return context.store.make("tokenization", digest_of(shards), {}, work, lambda *_: None)
