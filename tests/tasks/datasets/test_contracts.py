"""A dataset that does not match its contract is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.datasets import contracts
from tasks.errors import ContractError

WORDS = pa.table({"word": ["a", "b"], "count": [3, 1], "keep_probability": pa.array([0.5, 1.0], pa.float32())})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A table comes back equal, and the file names its contract."""
    path = tmp_path / "vocabulary.parquet"

    assert contracts.write(path, contracts.VOCABULARY, WORDS) == 2
    assert contracts.read(path, contracts.VOCABULARY).equals(WORDS)
    assert pq.read_schema(path).metadata[b"contract"] == b"vocabulary/1"


def test_another_contract_is_refused(tmp_path: Path) -> None:
    """The error names the file, the contract, the columns expected and found, and the next step."""
    path = tmp_path / "vocabulary.parquet"
    contracts.write(path, contracts.VOCABULARY, WORDS)

    with pytest.raises(ContractError) as error:
        contracts.read(path, contracts.WINDOWS)

    assert str(error.value) == (
        f"{path} does not match contract windows/1\n"
        "expected  document: int32, center: int32, radius: uint8\n"
        "found     word: string, count: int64, keep_probability: float (vocabulary/1)\n"
        "It is another file, or another version wrote it: use a file of this version, or that version of w2v."
    )


def test_another_version_is_refused(tmp_path: Path) -> None:
    """The same columns under an older version are another contract."""
    path = tmp_path / "vocabulary.parquet"
    contracts.write(path, contracts.VOCABULARY._replace(version=0), WORDS)

    with pytest.raises(ContractError, match="does not match contract vocabulary/1"):
        contracts.read(path, contracts.VOCABULARY)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    """A damaged file is named, with the advice to run the command again."""
    path = tmp_path / "vocabulary.parquet"
    contracts.write(path, contracts.VOCABULARY, WORDS)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(
        ContractError, match=rf"{path} cannot be read as Parquet: (?s:.*)The file is damaged, or of another format"
    ):
        contracts.read(path, contracts.VOCABULARY)


def test_wrong_columns_are_not_written(tmp_path: Path) -> None:
    """A stage cannot write columns that its contract does not name."""
    with pytest.raises(ValueError, match="names are not matching"):
        contracts.write(tmp_path / "x.parquet", contracts.WINDOWS, WORDS)


def test_tokens_come_as_dictionary(tmp_path: Path) -> None:
    """Each distinct word is held once, however many tokens there are."""
    path = tmp_path / "tokens.parquet"
    words = [f"word{number}" for number in range(50_000)]
    table = pa.table({"document": np.arange(4), "tokens": [words] * 4})
    contracts.write(path, contracts.TOKENS, table)

    read = contracts.read(path, contracts.TOKENS)["tokens"].combine_chunks()

    assert pa.types.is_dictionary(read.type.value_type)
    assert len(read.values.dictionary) == 50_000
    assert read[3].as_py() == words


def test_tokens_of_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a dictionary for each of its row groups is read as one column, whose chunks can be joined."""
    monkeypatch.setattr(contracts, "ROW_GROUP_ROWS", 2)
    path = tmp_path / "tokens.parquet"
    lists = [["b", "a"], ["b"], ["c", "a"], ["d"], []]
    contracts.write(path, contracts.TOKENS, pa.table({"document": range(5), "tokens": lists}))

    read = contracts.read(path, contracts.TOKENS)["tokens"].combine_chunks()

    assert read.to_pylist() == lists
    assert read.flatten().dictionary.to_pylist() == ["b", "a", "c", "d"]


def test_other_programs_read_words(tmp_path: Path) -> None:
    """Without our contract, tokens are lists of words, not numbers."""
    path = tmp_path / "tokens.parquet"
    contracts.write(path, contracts.TOKENS, pa.table({"document": [0], "tokens": [["b", "a", "b"]]}))

    assert pq.read_table(path).schema.field("tokens").type == pa.list_(pa.field("element", pa.string()))
