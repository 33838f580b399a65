"""Write vectors in the formats of other programs; words keep the order of the rows.

    text         .txt .vec    word2vec's own: a line "V D", then a line a word; gzipped if the name ends with .gz
    binary       .bin         word2vec's own: the same first line, then each word, a space, and D little-endian float32
    vocab        .vocab       word2vec's own: a line a word with its count, which the other two do not have
    parquet      .parquet     word, count, vector; the metadata contain the rules that normalised the words
    npy          .npy         the matrix; the words are in a file beside it, one a line
    projector    .tsv         TensorBoard's embedding projector: vectors and words as a pair of .tsv files
    huggingface  a folder     safetensors, tokenizer and model card: see huggingface.py
    fasttext-bin a .bin      fastText's own, with subwords, if it is asked for by name: see fasttext.py
    usearch      a folder     an index for approximate nearest neighbours: see index.py
    pgvector, elasticsearch   .sql, .ndjson: see databases.py

In word2vec's formats white space ends a word, so words that contain any are refused; in npy only the end of a line,
in projector also a tab, and in Parquet nothing does. Every writer is deterministic: the same vectors of the same run
give the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.loading import ConfigError
from tasks.text.normalization import KEY, Rules
from tasks.vectors import databases, fasttext, huggingface, index
from tasks.vectors.tables import WordVectors
from tasks.vectors.writing import LINE_END, Counts, Table, check, cut, opened

DIGITS = "%.6g"  # word2vec.c writes %lf; six significant digits keep small components too
GZIPPED = ("text", "binary", "pgvector", "elasticsearch")
ENDINGS = {
    ".txt": "text",
    ".vec": "text",
    ".bin": "binary",
    ".vocab": "vocab",
    ".parquet": "parquet",
    ".npy": "npy",
    ".tsv": "projector",
    ".sql": "pgvector",
    ".ndjson": "elasticsearch",
}
FOLDERS = {"huggingface": huggingface.FILES, "usearch": index.FILES}  # formats that are a folder of such files
FASTTEXT = "fasttext-bin"
NAMED = {".bin": FASTTEXT}  # another format with this ending, written if --format names it
# endings of formats that are not written here
FOREIGN = {
    ".bz2",
    ".xz",
    ".zst",
    ".zip",
    ".tar",
    ".tgz",
    ".csv",
    ".json",
    ".jsonl",
    ".arrow",
    ".feather",
    ".npz",
    ".pkl",
    ".pickle",
    ".h5",
    ".hdf5",
    ".model",
    ".kv",
}
LABELS = {"npy": ".words.txt", "projector": ".words.tsv"}  # the second file of a format, named after the first


def format_of(path: Path, wanted: str | None) -> str:
    """Return the format that the name or `wanted` gives. Raises ConfigError if neither does, or they differ."""
    zipped = path.suffix.lower() == ".gz"
    ending = Path(path.stem).suffix.lower() if zipped else path.suffix.lower()
    format = wanted or ENDINGS.get(ending)
    other = ending in ENDINGS and format not in (ENDINGS[ending], NAMED.get(ending))
    if ending in FOREIGN or not format or other or (zipped and format not in GZIPPED):
        known = ", ".join(f"{each} ({name})" for each, name in ENDINGS.items())
        zippable = " ".join(each for each, name in ENDINGS.items() if name in GZIPPED)
        raise ConfigError(
            f"{path}: the name does not match the format of the export\n"
            f"expected  a name that ends with {known}, {zippable} also with .gz after it, or --format\n"
            f"found     {path.name}{f', and --format {wanted}' if wanted else ''}\n"
            "Give the file an ending of its format, or add --format to a name without one."
        )
    return format


def targets(path: Path, format: str) -> list[Path]:
    """Return the files of an export: the named one, and for formats of two files the words beside it."""
    if format not in LABELS:
        return [path]
    stem = path.name[: -len(path.suffix)] if path.suffix.lower() in ENDINGS else path.name
    return [path, path.with_name(stem + LABELS[format])]


def holds_all(words: Sequence[str]) -> bool:
    """Return True if every word can be written in every format."""
    return not any(map(cut, words))


def write_text(path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None) -> list[Path]:
    """Write word2vec's text format. Raises InputError for a word with white space."""
    check(words)
    line = " ".join(["%s", *[DIGITS] * table.shape[1]]) + "\n"
    with opened(path) as stream:
        stream.write(_head(table))
        for word, row in zip(words, table.tolist(), strict=True):
            stream.write((line % (word, *row)).encode())
    return targets(path, "text")


def write_binary(path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None) -> list[Path]:
    """Write word2vec's binary format. Raises InputError for a word with white space."""
    check(words)
    with opened(path) as stream:
        stream.write(_head(table))
        for word, row in zip(words, table.astype("<f4"), strict=True):
            stream.write(word.encode() + b" " + row.tobytes() + b"\n")
    return targets(path, "binary")


def write_vocab(path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None) -> list[Path]:
    """Write word2vec's vocabulary: words and their counts. Raises InputError for a word with white space."""
    check(words)
    _write_lines(path, [f"{word} {count}" for word, count in zip(words, counts, strict=True)])
    return targets(path, "vocab")


def write_parquet(path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None) -> list[Path]:
    """Write Parquet with the rules in its metadata."""
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(table.ravel()), table.shape[1])
    columns = pa.table({"word": words, "count": counts, "vector": vectors})
    kept = {KEY: rules.dumps().encode()} if rules else None
    pq.write_table(columns.replace_schema_metadata(kept), path, compression="zstd")
    return targets(path, "parquet")


def write_npy(path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None) -> list[Path]:
    """Write the matrix as .npy and the words beside it. Raises InputError for a word with an end of line."""
    check(words, LINE_END)
    matrix, labels = targets(path, "npy")
    with open(matrix, "wb") as stream:  # given a name, np.save may append .npy
        np.save(stream, table, allow_pickle=False)
    _write_lines(labels, words)
    return [matrix, labels]


def write_projector(
    path: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None
) -> list[Path]:
    """Write a pair of .tsv files. Raises InputError for a word with a tab or an end of line."""
    check(words, LINE_END | {"\t"})
    vectors, labels = targets(path, "projector")
    with open(vectors, "wb") as stream:
        np.savetxt(stream, table, fmt=DIGITS, delimiter="\t")
    _write_lines(labels, ["word\tcount", *(f"{word}\t{count}" for word, count in zip(words, counts, strict=True))])
    return [vectors, labels]


def write(format: str, path: Path, learnt: WordVectors) -> list[Path]:
    """Write the `targets` of the format. Raises InputError for vectors that it cannot hold."""
    return WITH_SUBWORDS[format](path, learnt) if format in WITH_SUBWORDS else WRITERS[format](path, *learnt[:4])


WRITERS = {
    "text": write_text,
    "binary": write_binary,
    "vocab": write_vocab,
    "parquet": write_parquet,
    "npy": write_npy,
    "projector": write_projector,
}  # each writes the `targets` of its format, and returns them
WITH_SUBWORDS = {FASTTEXT: fasttext.write}  # these are given the n-grams as well
DESCRIBED = {
    "huggingface": huggingface.write,
    "usearch": index.write,
    "pgvector": databases.write_pgvector,
    "elasticsearch": databases.write_elasticsearch,
}  # these are also told whose vectors they are


def _head(table: Table) -> bytes:
    return b"%d %d\n" % table.shape


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
