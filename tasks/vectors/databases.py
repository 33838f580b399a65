"""Vectors as what databases load, one row or document a word.

    pgvector       .sql       for psql: a table word, count, vector of PostgreSQL's extension, filled by COPY
    elasticsearch  .ndjson    for the bulk API of Elasticsearch and OpenSearch: a line with an id, then the document

Numbers have nine significant digits, which give the same float32 again. The SQL names the run.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.text.normalization import Rules
from tasks.vectors.about import NOTHING, About
from tasks.vectors.writing import Counts, Table, opened, refuse

EXACT = "%.9g"
ROWS = 1_000  # of the table that are Python numbers at once
KEY_BYTES = 2_600  # a key of PostgreSQL's B-trees has at most a third of a page
ID_BYTES = 512  # of a document's id in Elasticsearch
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}  # of COPY's text
SQL = """\
-- Word vectors for PostgreSQL with pgvector: {origin}
-- psql --set ON_ERROR_STOP=1 --file THIS_FILE DATABASE; --set table=NAME names the table otherwise.
\\if :{{?table}}
\\else
\\set table word_vectors
\\endif
BEGIN;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE :"table" (word text PRIMARY KEY, count bigint NOT NULL, vector vector({size}) NOT NULL);
COMMENT ON TABLE :"table" IS '{comment}';
COPY :"table" (word, count, vector) FROM stdin WITH (ENCODING 'UTF8');
"""


def write_pgvector(
    path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None, about: About = NOTHING
) -> list[Path]:
    """Write SQL for psql. Raises InputError for a word that is too long for a key."""
    _check(words, KEY_BYTES)
    escaped, special = str.maketrans(ESCAPES), re.compile("[" + re.escape("".join(ESCAPES)) + "]")
    origin = " ".join(about.origin.split())
    with opened(path) as stream:
        head = SQL.format(origin=origin, comment=origin.replace("'", "''"), size=table.shape[1])
        stream.write(head.encode())
        for word, count, numbers in _rows(words, counts, table):
            key = word.translate(escaped) if special.search(word) else word
            stream.write(f"{key}\t{count}\t[{numbers}]\n".encode())
        stream.write(b"\\.\nCOMMIT;\n")
    return [path]


def write_elasticsearch(
    path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None, about: About = NOTHING
) -> list[Path]:
    """Write lines for the bulk API. Raises InputError for a word that is too long for an id."""
    _check(words, ID_BYTES)
    with opened(path) as stream:
        for word, count, numbers in _rows(words, counts, table):
            name = json.dumps(word, ensure_ascii=False)
            about_it = f'{{"word":{name},"count":{count},"vector":[{numbers}]}}'
            stream.write(f'{{"index":{{"_id":{name}}}}}\n{about_it}\n'.encode())
    return [path]


def _rows(words: list[str], counts: Counts, table: Table) -> Iterator[tuple[str, int, str]]:
    line = ",".join([EXACT] * table.shape[1])
    for start in range(0, len(words), ROWS):
        rows = table[start : start + ROWS].tolist()
        for word, count, row in zip(
            words[start : start + ROWS], counts[start : start + ROWS].tolist(), rows, strict=True
        ):
            yield word, count, line % tuple(row)


def _check(words: list[str], most: int) -> None:
    for row, word in enumerate(words):
        if not 0 < len(word.encode()) <= most or "\0" in word:
            refuse(row, word, f"words of 1 to {most:,} bytes without a null character")
