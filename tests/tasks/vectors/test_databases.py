"""Exports for databases have the form that each documents; DuckDB loads them here, others in test_consumers.py."""

import gzip
import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tasks.errors import InputError
from tasks.vectors import databases, formats
from tasks.vectors.about import About

WORDS = ["the", "naïve", "東京", "don't", "a\tb\\n\nc", "\\.", 'say "x"']
COUNTS = np.arange(7, 0, -1)
TABLE = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
ABOUT = About("it's/3, run 5a77")


def test_sql_is_what_copy_reads(tmp_path: Path) -> None:
    """A row is word, count and vector between tabs; special characters are escaped; the comment names the run."""
    [path] = databases.write_pgvector(tmp_path / "v.sql", ["a\tb", "\\."], COUNTS[:2], TABLE[:2], None, ABOUT)
    lines = path.read_text().splitlines()

    assert "COMMENT ON TABLE :\"table\" IS 'it''s/3, run 5a77';" in lines
    assert lines[-4].split("\t")[:2] == ["a\\tb", "7"]
    assert lines[-3].startswith("\\\\.\t6\t[")
    assert lines[-2:] == ["\\.", "COMMIT;"]
    assert np.float32(json.loads(lines[-4].split("\t")[2])).tolist() == TABLE[0].tolist()


def test_bulk_lines_are_pairs(tmp_path: Path) -> None:
    """Each word is an action with its id and a document, both JSON on a line of their own, also gzipped."""
    [path] = databases.write_elasticsearch(tmp_path / "v.ndjson.gz", WORDS, COUNTS, TABLE)
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]]

    assert lines[::2] == [{"index": {"_id": word}} for word in WORDS]
    assert [each["word"] for each in lines[1::2]] == WORDS
    assert [each["count"] for each in lines[1::2]] == COUNTS.tolist()
    assert np.float32([each["vector"] for each in lines[1::2]]).tobytes() == TABLE.tobytes()


@pytest.mark.parametrize(("format", "most"), [("pgvector", 2_600), ("elasticsearch", 512)])
def test_a_word_that_is_no_key_is_refused(format: str, most: int, tmp_path: Path) -> None:
    """Too long a word is refused before a file is written, with the number of bytes that fit."""
    with pytest.raises(InputError, match=rf"(?s)word 1 cannot be.*words of 1 to {most:,} bytes.*Export as parquet"):
        formats.DESCRIBED[format](tmp_path / "v", ["a", "é" * most], COUNTS[:2], TABLE[:2])

    assert list(tmp_path.iterdir()) == []


def test_duckdb_reads_parquet(tmp_path: Path) -> None:
    """The vectors, cast to an array of their length, are ranked by DuckDB's own cosine."""
    [path] = formats.write_parquet(tmp_path / "v.parquet", WORDS, COUNTS, TABLE)
    asked = f"""
        WITH words AS (SELECT word, vector::FLOAT[3] AS vector FROM '{path}')
        SELECT b.word, array_cosine_similarity(a.vector, b.vector) AS cosine
        FROM words a, words b WHERE a.word = 'the' ORDER BY cosine DESC
    """
    unit = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
    cosines = unit @ unit[0]
    found = duckdb.sql(asked).fetchall()

    assert [word for word, _ in found] == [WORDS[row] for row in np.argsort(-cosines)]
    np.testing.assert_allclose([cosine for _, cosine in found], np.sort(cosines)[::-1], rtol=1e-5)
