"""Inputs that were once misread silently are now read as what they are, or refused with the true cause.

They lie beside the project, not in it: where they are missing, these tests are skipped.
"""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.ingestion.estimate import CorpusSize, sample
from tasks.ingestion.stage import ingestion
from tests.support.paths import SHARED

CASES = SHARED / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases of ../shared are not on this machine")


def texts(context: Context, name: str, **settings: object) -> list[str]:
    """Return the documents, on which plan and ingestion agree."""
    config = Ingestion(source=str(CASES / name), **settings)
    expected = sample(config, Path(context.runtime.workspace))
    documents = ingestion.compute(context=context, config=config)
    tables = [contracts.read(file, contracts.DOCUMENTS) for file in documents.files()]
    found: list[str] = pa.concat_tables(tables)["text"].to_pylist()
    assert expected == CorpusSize(len(found), sum(map(len, found)))
    return found


REFUSED = [
    ("csv-quote-never-closed.csv", {}, "row 31, line 32, byte 1,700: it is not CSV: a quotation mark is opened in it"),
    ("pretty.jsonl", {}, "valid JSON, but one object over several lines\n"),
    ("concat.jsonl", {}, "valid JSON, but several objects in one line\n"),
    ("trailing-comma.jsonl", {}, "one object a line, but with a comma at the end of the line\n"),
    ("array.jsonl", {}, "valid JSON, but an array instead of an object\n"),
    ("utf16.jsonl", {}, "utf16.jsonl is UTF-16\n"),
    ("parquet-two-columns-of-one-name", {}, "a.parquet: there are 2 columns 'text'\n"),
    ("list.parquet", {"text_column": "tokens"}, "Join the items of each list with blanks"),
    ("reviews.tsv", {}, "there is no column 'text'\nfound     id, review, stars\n"),
    ("baskets.txt", {"text_column": "review"}, "ingestion.text_column = 'review' applies to nothing"),
    ("parquet-3000-rows-of-one-8MB-value.parquet", {}, "unpacks to far more than its size"),
    ("parquet-200M-null-rows.parquet", {}, "unpacks to far more than its size"),
]


@pytest.mark.parametrize(("name", "settings", "cause"), REFUSED)
def test_what_is_refused_is_told_why(context: Context, name: str, settings: dict[str, str], cause: str) -> None:
    """`plan` and the ingestion give the same cause."""
    config = Ingestion(source=str(CASES / name), **settings)
    said = []
    for look in (
        lambda: ingestion.compute(context=context, config=config),
        lambda: sample(config, Path(context.runtime.workspace)),
    ):
        try:
            look()
        except InputError as error:
            said.append(str(error))

    assert said
    assert all(cause in each for each in said)
    assert len(said) == 2 or "3000" in name  # the plan stops reading before


@pytest.mark.parametrize(
    ("name", "settings", "documents"),
    [
        ("reviews.tsv", {"text_column": "review"}, 100),
        ("array.json", {}, 100),
        ("wikiextractor-json", {}, 112),
        ("dict.parquet", {}, 100),
        ("spark-text-output", {}, 1),
    ],
)
def test_what_is_read_is_prose(context: Context, name: str, settings: dict[str, object], documents: int) -> None:
    """The text contains no header, id, key or address."""
    found = texts(context, name, **settings)

    assert len(found) == documents
    assert all(text.startswith("the ") for text in found)
    assert not any(sign in text for text in found for sign in '{}":\t')


def test_repeated_lines_are_counted(context: Context) -> None:
    """600 baskets of six kinds are 600 documents."""
    found = texts(context, "baskets.txt", text_documents="line")
    expected = json.loads((CASES / "baskets-expected-counts.json").read_text())

    assert len(found) == expected["baskets"]
    assert Counter(" ".join(found).split()) == expected["counts"]
