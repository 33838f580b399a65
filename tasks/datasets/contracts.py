"""The datasets between the stages: each schema once, with its name and version in the Parquet metadata.

Every stage reads and writes through here, so that a file of another version is refused and not misread.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import ContractError

Read = TypeVar("Read", pq.ParquetFile, pa.Table)

ROW_GROUP_ROWS = 1_000_000


class Contract(NamedTuple):
    """The name and version that are stamped into each file, and what it holds."""

    name: str
    version: int
    schema: pa.Schema

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"

    @property
    def stamped(self) -> pa.Schema:
        return self.schema.with_metadata({"contract": self.id})


DOCUMENTS = Contract(  # a row is a document
    "documents", 1,
    pa.schema({"document": pa.int64(), "source": pa.string(), "text": pa.large_string()}),
)  # fmt: skip
TOKENS = Contract(  # a row is a document, or a sentence of one
    "tokens", 1,
    pa.schema({"document": pa.int64(), "tokens": pa.large_list(pa.large_string())}),
)  # fmt: skip
VOCABULARY = Contract(  # a row is a word; its id is the row number, by falling count, then word
    "vocabulary", 1,
    pa.schema({"word": pa.string(), "count": pa.int64(), "keep_probability": pa.float32()}),
)  # fmt: skip
WINDOWS = Contract(  # a row is a window: a kept position, in corpus order
    "windows", 1,
    pa.schema({"document": pa.int32(), "center": pa.int32(), "radius": pa.uint8()}),
)  # fmt: skip
CURVE = Contract(  # a row is a stretch of training: how far it has come, and its mean loss per pair
    "curve", 1,
    pa.schema({
        "words": pa.int64(), "windows": pa.int64(), "updates": pa.int64(), "epoch": pa.float64(),
        "loss": pa.float64(), "learning_rate": pa.float64(), "held_out_loss": pa.float64(),
    }),
)  # fmt: skip
EVALUATION = Contract(
    # a row is a judged item in the order of its set: a pair, an analogy, …, or a neighbour of a probe word
    "evaluation", 2,
    pa.schema({
        "judge": pa.string(), "set": pa.string(), "section": pa.string(), "item": pa.string(), "covered": pa.bool_(),
        "rank": pa.int32(),  # of the item's rarest word in the vocabulary, from 0; null if one is unknown
        "expected": pa.string(), "predicted": pa.string(), "right": pa.bool_(),  # an answer
        "target": pa.float64(), "score": pa.float64(),  # people's score, and the vectors'
    }),
)  # fmt: skip


def vectors(vector_size: int) -> Contract:
    """A word with its input and output vector (hierarchical softmax: output row i is inner node i)."""
    vector = pa.list_(pa.float32(), vector_size)
    schema = pa.schema({"word": pa.string(), "count": pa.int64(), "input": vector, "output": vector})
    return Contract("vectors", 1, schema)


def write(path: Path, contract: Contract, tables: pa.Table | Iterable[pa.Table]) -> int:
    """Write `tables` as one file and return its rows; they are checked against the contract."""
    rows = 0
    # a dictionary that outgrows its page is dropped for plain text, five times the size and slower to look up
    options = {"compression": "zstd", "compression_level": 1, "dictionary_pagesize_limit": 1 << 24}
    # and one of floats, which hardly repeat, costs half a gigabyte of memory for 42,000 vectors of 100
    options["use_dictionary"] = not any(pa.types.is_fixed_size_list(field.type) for field in contract.schema)
    with pq.ParquetWriter(path, contract.stamped, **options) as writer:
        for table in [tables] if isinstance(tables, pa.Table) else tables:
            writer.write_table(table.cast(contract.stamped), row_group_size=ROW_GROUP_ROWS)
            rows += table.num_rows
    return rows


def read(path: Path, contract: Contract, columns: list[str] | None = None) -> pa.Table:
    """The whole file as a table. Raises ContractError if it is damaged or of another contract."""
    with _open(path, contract) as file:
        return _checked(path, lambda: file.read(columns=columns))


def read_tokens(path: Path) -> pa.Table:
    """The tokens as the dictionary and indices that Parquet stores, so that each distinct word is looked up once."""
    _open(path, TOKENS).close()
    return _checked(path, lambda: pq.read_table(path, read_dictionary=["tokens.list.element"]))


def _open(path: Path, contract: Contract) -> pq.ParquetFile:
    file = _checked(path, lambda: pq.ParquetFile(path))
    stamp = (file.schema_arrow.metadata or {}).get(b"contract", b"of no contract").decode()
    if stamp != contract.id or not file.schema_arrow.remove_metadata().equals(contract.schema, check_metadata=False):
        expected = ", ".join(f"{f.name}: {f.type}" for f in contract.schema)
        found = ", ".join(f"{f.name}: {f.type}" for f in file.schema_arrow)
        file.close()
        raise ContractError(
            f"{path} does not match contract {contract.id}\nexpected  {expected}\nfound     {found} ({stamp})\n"
            "It is another file, or another version wrote it: name one of this version, or read it with that one."
        )
    return file


def _checked(path: Path, step: Callable[[], Read]) -> Read:
    try:
        return step()
    except (pa.ArrowInvalid, OSError) as error:
        raise ContractError(
            f"{path} cannot be read as Parquet: {error}\n"
            "The file is damaged, or of another format. Run the command again: what the store holds is checked and "
            "made again. A file of your own is for you to mend or to leave out."
        ) from error
