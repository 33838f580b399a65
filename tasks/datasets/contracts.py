"""The schema of each dataset between stages, with its name and version in the Parquet metadata.

Every stage reads and writes through this module, so that a file of another version is refused, not misread.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import ContractError

Read = TypeVar("Read", pq.ParquetFile, pa.Table)

ROW_GROUP_ROWS = 1_000_000
TEXTS = (pa.string(), pa.large_string())


class Contract(NamedTuple):
    """A schema with the name and version that are written into each file."""

    name: str
    version: int
    schema: pa.Schema

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"

    @property
    def stamped(self) -> pa.Schema:
        return self.schema.with_metadata({"contract": self.id})

    @property
    def dictionaries(self) -> list[str]:
        """Return the columns that are read as Parquet stores them, as numbers of distinct values."""
        lists = [field for field in self.schema if pa.types.is_list(field.type)]
        return [f"{field.name}.list.element" for field in lists if pa.types.is_dictionary(field.type.value_type)]

    @property
    def numbers(self) -> list[str]:
        """Return the columns of numbers."""
        return [field.name for field in self.schema if not pa.types.is_nested(field.type) and field.type not in TEXTS]


DOCUMENTS = Contract(  # a row is a document
    "documents",
    1,
    pa.schema({"document": pa.int64(), "source": pa.string(), "text": pa.large_string()}),
)
TOKENS = Contract(  # a row is a document, or a sentence of one; each distinct word of a file is stored once
    "tokens",
    2,
    pa.schema({"document": pa.int64(), "tokens": pa.list_(pa.dictionary(pa.int32(), pa.string()))}),
)
PHRASES = Contract(  # a row is a phrase, by pass, falling count, then its words
    "phrases",
    1,
    pa.schema(
        {
            "pass": pa.int32(),
            "phrase": pa.string(),
            "words": pa.list_(pa.string()),
            "count": pa.int64(),
            "score": pa.float64(),
        }
    ),
)
COUNTS = Contract(  # a row is a word of one part of the tokens, by word
    "counts",
    1,
    pa.schema({"word": pa.string(), "count": pa.int64()}),
)
VOCABULARY = Contract(  # a row is a word, by falling count, then word; its id is the row number
    "vocabulary",
    1,
    pa.schema({"word": pa.string(), "count": pa.int64(), "keep_probability": pa.float32()}),
)
WINDOWS = Contract(  # a row is a window: a kept position, in corpus order
    "windows",
    1,
    pa.schema({"document": pa.int32(), "center": pa.int32(), "radius": pa.uint8()}),
)
CURVE = Contract(  # a row is a stretch of training: its end, and its mean loss per pair
    "curve",
    1,
    pa.schema(
        {
            "words": pa.int64(),
            "windows": pa.int64(),
            "updates": pa.int64(),
            "epoch": pa.float64(),
            "loss": pa.float64(),
            "learning_rate": pa.float64(),
            "held_out_loss": pa.float64(),
        }
    ),
)
EVALUATION = Contract(
    # a row is a judged item in the order of its set: a pair, an analogy, …, or a neighbour of a probe word
    "evaluation",
    2,
    pa.schema(
        {
            "judge": pa.string(),
            "set": pa.string(),
            "section": pa.string(),
            "item": pa.string(),
            "covered": pa.bool_(),
            "rank": pa.int32(),  # of the item's rarest word, from 0; null if one has no vector
            "expected": pa.string(),
            "predicted": pa.string(),
            "right": pa.bool_(),  # an answer
            "target": pa.float64(),
            "score": pa.float64(),  # the human score, and that of the vectors
        }
    ),
)


def vectors(vector_size: int) -> Contract:
    """Return the contract of words with input and output vectors.

    In hierarchical softmax, row i of the output vectors is inner node i.
    """
    vector = pa.list_(pa.float32(), vector_size)
    schema = pa.schema({"word": pa.string(), "count": pa.int64(), "input": vector, "output": vector})
    return Contract("vectors", 1, schema)


def subwords(vector_size: int) -> Contract:
    """Return the contract of the n-grams that unseen words are made of; a row is a bucket, in ascending order."""
    return Contract("subwords", 1, pa.schema({"bucket": pa.int32(), "vector": pa.list_(pa.float32(), vector_size)}))


def write(path: Path, contract: Contract, tables: pa.Table | Iterable[pa.Table]) -> int:
    """Write `tables` to one file after checking them against the contract; return the number of rows."""
    rows = 0
    # a dictionary larger than its page would be replaced by plain text: five times the size, and slower to read
    options: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "dictionary_pagesize_limit": 1 << 24}
    # a dictionary of floats, which hardly repeat, takes half a gigabyte for 42,000 vectors of size 100
    options["use_dictionary"] = not any(pa.types.is_fixed_size_list(field.type) for field in contract.schema)
    options |= {"write_statistics": contract.numbers}  # the least of many words takes as long as writing them
    options |= {"data_page_version": "2.0", "write_batch_size": 1 << 16}  # levels are then not compressed
    options |= {"store_schema": not contract.dictionaries}  # so other programs read words, not numbers
    with pq.ParquetWriter(path, contract.stamped, **options) as writer:
        if not options["store_schema"]:
            writer.add_key_value_metadata({"contract": contract.id})
        for table in [tables] if isinstance(tables, pa.Table) else tables:
            writer.write_table(table.cast(contract.stamped), row_group_size=ROW_GROUP_ROWS)
            rows += table.num_rows
    return rows


def read(path: Path, contract: Contract, columns: list[str] | None = None) -> pa.Table:
    """Return the whole file as a table. Raises ContractError if it is damaged or of another contract."""
    with _open(path, contract) as file:
        if contract.dictionaries and file.num_row_groups > 1:  # each group has dictionaries of its own
            groups = range(file.num_row_groups)
            return _checked(path, lambda: pa.concat_tables(file.read_row_group(n, columns) for n in groups))
        return _checked(path, lambda: file.read(columns=columns))


def _open(path: Path, contract: Contract) -> pq.ParquetFile:
    file = _checked(path, lambda: pq.ParquetFile(path, read_dictionary=contract.dictionaries))
    stamp = (file.metadata.metadata or {}).get(b"contract", b"of no contract").decode()
    if stamp != contract.id or not file.schema_arrow.remove_metadata().equals(contract.schema, check_metadata=False):
        expected = ", ".join(f"{f.name}: {f.type}" for f in contract.schema)
        found = ", ".join(f"{f.name}: {f.type}" for f in file.schema_arrow)
        file.close()
        raise ContractError(
            f"{path} does not match contract {contract.id}\nexpected  {expected}\nfound     {found} ({stamp})\n"
            "It is another file, or another version wrote it: use a file of this version, or that version of w2v."
        )
    return file


def _checked(path: Path, step: Callable[[], Read]) -> Read:
    try:
        return step()
    except (pa.ArrowInvalid, OSError) as error:
        raise ContractError(
            f"{path} cannot be read as Parquet: {error}\n"
            "The file is damaged, or of another format. Run the command again: files in the store are checked and "
            "made again. Repair or leave out a file of your own."
        ) from error
