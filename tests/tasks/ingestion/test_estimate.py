"""The sample finds faults at the beginning of a source and estimates its size."""

import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.schema import Ingestion
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.ingestion import estimate
from tasks.ingestion.estimate import CorpusSize, sample
from tasks.ingestion.stage import ingestion

ROWS = [
    f"row {number} " + np.random.default_rng(number).bytes(4 * (number % 60)).hex(" ", 4) for number in range(20_000)
]


def write_csv(path: Path) -> None:
    path.write_text("id,text\n" + "".join(f"{number},{text}\n" for number, text in enumerate(ROWS)))


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(ROWS)))


def write_gzipped(path: Path) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps({"id": 0, "text": text}) + "\n" for text in ROWS).encode()))


def write_parquet(path: Path) -> None:
    pq.write_table(pa.table({"text": ROWS, "id": range(len(ROWS))}), path)


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for first in range(0, len(ROWS), 5_000):
            lines = (json.dumps({"id": 0, "text": text}) for text in ROWS[first : first + 5_000])
            archive.writestr(f"{first}.jsonl", "\n".join(lines))


WRITERS = {
    "rows.csv": write_csv,
    "rows.jsonl": write_jsonl,
    "rows.jsonl.gz": write_gzipped,
    "rows.parquet": write_parquet,
    "rows.zip": write_zip,
}


def config(source: Path, **settings: object) -> Ingestion:
    return Ingestion(source=str(source), **settings)


def ingested(source: Path, context: Context, **settings: object) -> CorpusSize:
    manifest = ingestion.compute(context=context, config=config(source, **settings)).manifest
    return CorpusSize(manifest.account.written, manifest.facts["characters"])


@pytest.mark.parametrize(("name", "write"), WRITERS.items())
def test_a_small_source_is_counted(tmp_path: Path, context: Context, name: str, write: Callable[[Path], None]) -> None:
    """For a source within the sample, the estimate is exact in rows and characters."""
    write(tmp_path / name)

    assert sample(config(tmp_path / name), tmp_path) == ingested(tmp_path / name, context)


@pytest.mark.parametrize(("name", "write"), WRITERS.items())
def test_a_large_source_is_estimated(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch, name: str, write: Callable[[Path], None]
) -> None:
    """The size is estimated from the first half within a factor of two, also if compressed."""
    monkeypatch.setattr(estimate, "ENOUGH", 2_000_000)
    write(tmp_path / name)
    found, true = sample(config(tmp_path / name), tmp_path), ingested(tmp_path / name, context)

    assert found is not None
    assert found != true
    assert found == pytest.approx(true, rel=0.5)


def test_text_files_are_estimated_from_some_of_them(tmp_path: Path, context: Context) -> None:
    """Fifty of 200 files, long and short ones, are read."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03d}.txt").write_text(f"{number} " + "word " * (number * 37 % 1_000))
    found = sample(config(folder), tmp_path)

    assert found is not None
    assert found == pytest.approx(ingested(folder, context), rel=0.2)


def test_long_texts_count_as_often_as_they_are_cut(tmp_path: Path) -> None:
    """A compressed line of five million characters counts as fifty documents."""
    (tmp_path / "line.txt.xz").write_bytes(lzma.compress(b"".join(b"word %07d " % n for n in range(385_000))))
    found = sample(config(tmp_path / "line.txt.xz"), tmp_path)

    assert found is not None
    assert found.documents == pytest.approx(50, abs=2)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.jsonl.gz", "rows.parquet", "rows.zip"])
@pytest.mark.parametrize("key", ["text_column", "id_column"])
def test_a_wrong_column_is_found(tmp_path: Path, name: str, key: str) -> None:
    """The error is that of the ingestion: the columns found and the key to set."""
    WRITERS[name](tmp_path / name)

    with pytest.raises(
        InputError, match=rf"there is no column 'body'\nfound     .*\nSet ingestion\.{key} to one of them"
    ):
        sample(config(tmp_path / name, **{key: "body"}), tmp_path)


def test_a_wrong_column_is_found_in_a_later_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the budget is spent, the first row of each further file is still checked."""
    monkeypatch.setattr(estimate, "ENOUGH", 100_000)
    write_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("id,body\n1,text\n")

    with pytest.raises(InputError, match=r"^b\.csv: there is no column 'text'"):
        sample(config(tmp_path), tmp_path)


def test_files_after_enough_weigh_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the budget is spent, a first row is not used to estimate its file."""
    monkeypatch.setattr(estimate, "ENOUGH", 1_000_000)
    for first in range(3):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in ROWS[first::3])
        (tmp_path / f"{first}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    found = sample(config(tmp_path), tmp_path)

    assert found is not None
    assert found.documents == pytest.approx(len(ROWS), rel=0.6)


def test_what_cannot_be_read_is_found(tmp_path: Path) -> None:
    """A damaged file, or a source of which nothing is kept, raises an error."""
    (tmp_path / "damaged.txt.gz").write_bytes(b"no gzip at all")
    with pytest.raises(InputError, match=r"^damaged\.txt\.gz is text\nexpected  gzip, as its suffix says"):
        sample(config(tmp_path / "damaged.txt.gz"), tmp_path)

    (tmp_path / "binary.txt").write_bytes(b"\x7fELF\x02\x01\x01\x00" * 1_000)
    with pytest.raises(InputError, match=r"^binary\.txt is a program\n"):
        sample(config(tmp_path / "binary.txt"), tmp_path)


def test_what_is_rejected_is_not_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejected rows at the beginning of a large file are no error, but are left out of the estimate."""
    monkeypatch.setattr(estimate, "ENOUGH", 100_000)
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"text": "{n // 2} same"}}\n' for n in range(10_000)))
    found = sample(config(tmp_path / "rows.jsonl", duplicates="drop"), tmp_path)

    assert found is not None
    assert found.documents == pytest.approx(5_000, rel=0.1)


def test_a_download_to_come_is_not_estimated(tmp_path: Path) -> None:
    """A plan fetches nothing; a download that exists is read like a file."""
    wanted = Ingestion(source="http://127.0.0.1:9/text.txt", sha256="0" * 64)
    assert sample(wanted, tmp_path) is None

    (tmp_path / "downloads" / ("0" * 64)).mkdir(parents=True)
    (tmp_path / "downloads" / ("0" * 64) / "text.txt").write_text("some text")

    assert sample(wanted, tmp_path) == CorpusSize(1, 9)


def test_what_will_be_left_out_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Damaged words and unreadable rows are reported before the work, with the first place."""
    caplog.set_level("INFO", "w2v")
    (tmp_path / "latin.txt").write_bytes(("café here, and more of it\n" * 20).encode("latin-1"))
    sample(config(tmp_path / "latin.txt"), tmp_path)
    rows = [json.dumps({"text": f"a row {number}"}) for number in range(20)]
    (tmp_path / "cut.jsonl").write_text("\n".join([rows[0][:14], *rows]))
    sample(config(tmp_path / "cut.jsonl"), tmp_path)

    assert "20 words with bytes that are not UTF-8 left out (80 characters), the first in latin.txt" in caplog.text
    assert "1 of the first 21 documents cannot be read and are left out, the first in cut.jsonl:1" in caplog.text
    assert caplog.text.count("not UTF-8") == 1
