"""Every source becomes documents, each text once, in order; everything left out is counted."""

import logging
import lzma
import os
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from configs.schema import Ingestion, Runtime, Tokenization, Vocabulary
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.ingestion import sources
from tasks.ingestion import stage as module
from tasks.ingestion.sources import Source, batches
from tasks.ingestion.stage import ingestion, new_share
from tasks.readers.reading import read
from tasks.tokenization import tokenization
from tasks.vocabulary import vocabulary


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    return folder


def write(folder: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def ingest(context: Context, source: Path, **settings: object) -> Dataset:
    return ingestion.compute(context=context, config=Ingestion(source=str(source), **settings))


def table(documents: Dataset) -> pa.Table:
    return pa.concat_tables(contracts.read(file, contracts.DOCUMENTS) for file in documents.files())


def test_a_folder_becomes_documents(context: Context, corpus: Path) -> None:
    """Files of every format become documents, numbered in the order of names, with account and facts."""
    write(
        corpus, a_txt="first text", b_jsonl='{"text": "second"}\n{"text": "third"}', c_csv="text\nfourth", d_png=b"\0"
    )
    write(corpus, e_txt_xz=lzma.compress(b"fifth"))

    documents = ingest(context, corpus)

    assert table(documents).to_pydict() == {
        "document": [0, 1, 2, 3, 4],
        "source": ["a.txt", "b.jsonl:1", "b.jsonl:2", "c.csv:1", "e.txt.xz"],
        "text": ["first text", "second", "third", "fourth", "fifth"],
    }
    assert documents.manifest.account.model_dump() == {
        "unit": "documents", "read": 5, "written": 5, "left_out": {"undecodable": 0, "empty": 0, "duplicate": 0},
    }  # fmt: skip
    assert documents.manifest.facts == {
        "files": 4, "characters": 32, "unread": 1,
        "losses": {"characters": {"undecodable": 0, "empty": 0, "duplicate": 0}, "damaged": 0, "first": {}},
        "told": ["1 file is not read: d.png", "lines and rows that repeat others are kept: ingestion.duplicates"],
    }  # fmt: skip


def test_what_is_left_out_is_counted_by_reason(context: Context, corpus: Path) -> None:
    """Undecodable, empty and repeated texts have no row; the first place of each is reported."""
    write(corpus, a_txt="one", b_txt="one", c_txt=" \n", d_txt=b"bad\xff", e_txt="one", f_txt="two")

    manifest = ingest(context, corpus, max_rejected_fraction=0.9).manifest

    assert manifest.account.left_out == {"undecodable": 1, "empty": 1, "duplicate": 2}
    assert (manifest.account.read, manifest.account.written) == (6, 2)
    assert manifest.facts["losses"]["characters"] == {"undecodable": 4, "empty": 1, "duplicate": 6}
    assert manifest.facts["losses"]["first"] == {
        "duplicate": "b.txt, byte 0", "empty": "c.txt, byte 0", "undecodable": "d.txt, byte 3",
        "damaged": "d.txt, byte 3",
    }  # fmt: skip


def test_a_repeated_text_is_left_out_with_all_its_pieces(context: Context, corpus: Path) -> None:
    """A piece is a duplicate only if all pieces before it are; texts that differ keep theirs."""
    write(corpus, a_txt="aa bb aa bb aa", b_txt="aa bb aa bb aa", c_txt="cc bb aa bb aa", d_txt="aa bb dd")

    documents = ingest(context, corpus, document_length=3, max_rejected_fraction=1.0)

    assert "".join(table(documents)["text"].to_pylist()) == "aa bb aa bb aa" + "cc bb aa bb aa" + "dd"
    assert documents.manifest.account.left_out["duplicate"] == 5 + 2


def test_too_many_rejected_documents_fail(context: Context, corpus: Path) -> None:
    """The error gives the number and first place for each reason, and what to do."""
    write(corpus, a_txt="one", b_txt=b"caf\xe9", c_txt=b"\xe9t\xe9", d_txt=" ")

    with pytest.raises(InputError) as error:
        ingest(context, corpus)

    assert str(error.value) == (
        f"{corpus}: 2 of 4 documents with 70.0% of the characters were rejected\n"
        "expected  some text, at most 20% of it not UTF-8 or repeated\n"
        "found     2 undecodable, the first in b.txt, byte 3\n"
        "          1 empty, the first in d.txt, byte 0\n"
        "          2 words with bytes that are not UTF-8 left out (7 characters), the first in b.txt, byte 3 "
        "(to convert another encoding, for instance: iconv -f CP1252 -t UTF-8 FILE > NEW)\n"
        "Correct these files or leave them out of ingestion.source, or raise ingestion.max_rejected_fraction.\n"
        "To convert another encoding, for instance: iconv -f CP1252 -t UTF-8 FILE > NEW "
        "(CP1252 stands for the encoding of the file)."
    )


def test_too_many_repetitions_name_the_original(context: Context, corpus: Path) -> None:
    """The error gives the place of the first duplicate and of its original."""
    write(corpus, a1_txt="bb", a2_txt="aa bb", b_txt="aa bb", c_txt="bb")

    with pytest.raises(InputError) as error:
        ingest(context, corpus, document_length=3)

    assert str(error.value).splitlines()[:3] == [
        f"{corpus}: 3 of 6 documents with 50.0% of the characters were rejected",
        "expected  some text, at most 20% of it not UTF-8 or repeated",
        "found     3 duplicate, the first in b.txt, byte 0, which repeats a2.txt",
    ]


def test_a_share_just_allowed_is_allowed(context: Context, corpus: Path) -> None:
    """One document in five is within a limit of 20%."""
    write(corpus, a_txt="1", b_txt="2", c_txt="3", d_txt="4", e_txt=b"\xe9")

    assert ingest(context, corpus, max_rejected_fraction=0.2).manifest.account.written == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\x02\x01\x01\x00", "^a.txt is a program\nexpected  text\n"),
        (
            b"\xff\xff ",
            "1 of 1 documents with .* were rejected\n.*\nfound     1 undecodable, the first in a.txt, byte 0",
        ),
        (b"", "there are no documents\n.*\nfound     nothing"),
        (b"\n\n", ": no document has a text\n.*\nfound     1 empty, the first in a.txt, byte 0"),
    ],
)
def test_a_binary_or_an_empty_file_is_no_corpus(context: Context, corpus: Path, content: bytes, message: str) -> None:
    """A source of which nothing is kept fails, whatever share may be rejected."""
    write(corpus, a_txt=content)

    with pytest.raises(InputError, match=message):
        ingest(context, corpus / "a.txt", max_rejected_fraction=1.0)


def test_a_corpus_without_documents_fails(context: Context, corpus: Path) -> None:
    """A table without rows fails."""
    write(corpus, a_csv="text\n")

    with pytest.raises(InputError, match=r"corpus/a\.csv: there are no documents\n.*\nfound     nothing\n"):
        ingest(context, corpus / "a.csv")


def test_a_truncated_file_leaves_nothing_behind(context: Context, corpus: Path) -> None:
    """After a truncated file nothing is committed."""
    write(corpus, a_txt_xz=lzma.compress(b"many words " * 100_000)[:-9])
    config = Ingestion(source=str(corpus), document_length=1000, shard_mb=1)

    with pytest.raises(InputError, match=r"a\.txt\.xz cannot be read: Compressed file ended before"):
        ingestion.compute(context=context, config=config)

    assert ingestion.find(context=context, config=config) is None


def test_a_bomb_leaves_nothing_behind(context: Context, corpus: Path) -> None:
    """A bomb of 300 MB is refused after a third, and leaves nothing on the disk."""
    bomb = zstandard.ZstdCompressor(level=1)
    write(corpus, a_txt_zst=bomb.compress(b"boom " * 60_000_000))

    with pytest.raises(
        InputError, match=r"^a\.txt\.zst unpacks to far more than its size\n.*\nfound     10\d,\d{3},\d{3} bytes"
    ):
        ingest(context, corpus, document_length=1_000_000)
    assert not list(context.store.root.rglob("*.parquet"))


def test_a_long_line_becomes_many_documents(context: Context, corpus: Path) -> None:
    """A corpus of one line is cut at white space into shards of the given size, without loss."""
    text = " ".join(f"word{number}" for number in range(300_000))
    write(corpus, a_txt=text)

    documents = ingest(context, corpus / "a.txt", document_length=10_000, shard_mb=1)
    read = table(documents)

    assert "".join(read["text"].to_pylist()) == text
    assert max(map(len, read["text"].to_pylist())) <= 10_000
    assert read["source"].to_pylist()[:2] == ["a.txt", "a.txt#2"]
    assert read["document"].to_pylist() == list(range(len(read)))
    assert len(documents.files()) == -(-len(text) // 1_010_000)


@pytest.mark.parametrize("name", ["one_line.txt", "lines.txt", "rows.jsonl"])
def test_memory_does_not_grow_with_the_file(context: Context, corpus: Path, name: str) -> None:
    """Twenty megabytes need no more memory than two: the peak is that of a shard."""
    peaks = []
    for megabytes in (2, 20):
        with open(corpus / name, "w") as file:
            for number in range(megabytes * 100):
                text = f"{number} " + "some text " * 1000
                file.write({"one_line.txt": text, "lines.txt": text + "\n"}.get(name, f'{{"text": "{text}"}}\n'))
        settings = {"text_documents": "line"} if name == "lines.txt" else {}
        tracemalloc.start()
        ingest(context, corpus / name, shard_mb=1, max_rejected_fraction=0.9, **settings)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]


def test_a_file_that_changes_meanwhile_is_an_error(
    context: Context, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes during ingestion fails, since the key no longer describes it."""
    write(corpus, a_txt="one", b_txt="two")
    read = module.read

    def append_while_reading(*arguments):
        yield from read(*arguments)
        with open(corpus / "a.txt", "a") as file:
            file.write(" more")

    monkeypatch.setattr(module, "read", append_while_reading)

    with pytest.raises(InputError, match=r"^a\.txt changed while being read\nexpected  sources that do not change"):
        ingest(context, corpus)


def test_a_file_that_vanishes_is_named(context: Context, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file deleted between planning and reading is named in the error."""
    write(corpus, a_txt="one")
    planned = module.sources(Ingestion(source=str(corpus)))
    monkeypatch.setattr(module, "sources", lambda config: [planned[0].model_copy(update={"path": corpus / "gone.txt"})])

    with pytest.raises(InputError, match=r"^a\.txt cannot be read: .*No such file"):
        ingest(context, corpus)


def test_changed_content_is_another_corpus(context: Context, corpus: Path) -> None:
    """Changed content is read again; touched files are reused."""
    write(corpus, a_txt="one")
    first = ingest(context, corpus)
    os.utime(corpus / "a.txt", (1, 1))

    assert ingest(context, corpus) == first
    write(corpus, a_txt="two")
    assert table(ingest(context, corpus))["text"].to_pylist() == ["two"]


def test_the_same_text_elsewhere_is_the_same_dataset(context: Context, tmp_path: Path) -> None:
    """A corpus that moved keeps its key, since documents are named within their source."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, a_txt="one", b_txt="two")

    assert ingest(context, tmp_path / "here").digest == ingest(context, tmp_path / "there").digest


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each file a batch of its own."""
    monkeypatch.setattr(sources, "BATCH", 1)


def contents(documents: Dataset) -> list[tuple[str, str]]:
    """Return the name and digest of each file of the datasets."""
    return [(file.name, file.digest) for part in documents.parts for file in part.manifest.files]


def nightly(corpus: Path, number: int) -> None:
    write(corpus, **{f"2026-01-{number:02d}_txt": f"news of day {number}\nthe weather\n{number} the end"})


@pytest.mark.parametrize("late", [9, 2])
def test_only_what_is_new_is_read(
    context: Context,
    corpus: Path,
    tmp_path: Path,
    one_by_one: None,
    late: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An added file is read alone; the result is that of reading all at once."""
    settings = {"text_documents": "line", "duplicates": "drop"}
    for number in {1, 3, 4, 5}:
        nightly(corpus, number)
    ingest(context, corpus, **settings)
    nightly(corpus, late)
    names: list[str] = []

    def watched(file, name, config):
        names.append(name)
        return read(file, name, config)

    monkeypatch.setattr(module, "read", watched)
    with caplog.at_level(logging.INFO, "w2v"):
        grown = ingest(context, corpus, **settings)
    assert "1 of 5 parts is new" in caplog.text
    assert names == [f"2026-01-{late:02d}.txt"]
    at_once = ingest(Context(runtime=Runtime(workspace=str(tmp_path / "another"))), corpus, **settings)

    assert len(names) == 1 + 5
    assert grown.manifest.account == at_once.manifest.account
    assert grown.manifest.account.left_out["duplicate"] == 4
    assert grown.digest == at_once.digest
    assert contents(grown) == contents(at_once)


def test_batches_are_one_corpus(
    context: Context, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, account and facts are the same, wherever the files are cut into batches."""
    write(corpus, a_txt="one", b_txt="two", c_txt="one", d_txt=b"bad\xff", e_txt="two", f_txt="three", g_txt=" ")
    made = []
    for size in (1, 4_000_000):
        monkeypatch.setattr(sources, "BATCH", size)
        workspace = Context(runtime=Runtime(workspace=str(tmp_path / str(size))))
        made.append(ingest(workspace, corpus, max_rejected_fraction=0.9))

    assert [len(each.parts) for each in made] == [7, 1]
    assert made[0].manifest.account == made[1].manifest.account
    assert table(made[0]).select(["source", "text"]) == table(made[1]).select(["source", "text"])
    assert made[0].manifest.facts["characters"] == made[1].manifest.facts["characters"]
    assert made[0].manifest.facts["losses"]["first"]["duplicate"] == "c.txt"


def test_a_repetition_in_another_batch_names_the_original(context: Context, corpus: Path, one_by_one: None) -> None:
    """A duplicate across batches names its original, as within one."""
    write(corpus, a_txt="one", b_txt="two", c_txt="two")

    with pytest.raises(InputError, match=r"found     1 duplicate, the first in c\.txt, which repeats b\.txt\n"):
        ingest(context, corpus)


def test_what_a_part_alone_could_not_be(context: Context, corpus: Path, one_by_one: None) -> None:
    """A batch without kept documents, or without a word, is no error beside others."""
    write(corpus, a_txt="one two", b_txt="", c_txt="...", d_txt="one two", e_txt="three")
    documents = ingest(context, corpus, max_rejected_fraction=0.5)
    tokens = tokenization.compute(context=context, documents=documents, config=Tokenization())
    words = vocabulary.compute(context=context, tokens=tokens, config=Vocabulary(min_count=1))

    assert tokens.manifest.account.left_out == {"without a word": 1}
    assert words.manifest.facts["occurrences"] == 3


def test_the_share_that_is_new(context: Context, corpus: Path, one_by_one: None) -> None:
    """The share of new text is measured in bytes."""
    config = Ingestion(source=str(corpus))
    write(corpus, a_txt="one two three")
    before = new_share(config, context)
    ingest(context, corpus)
    write(corpus, b_txt="and one more.")

    assert (before, new_share(config, context)) == (1.0, 0.5)


def test_where_files_are_cut_is_their_own_affair(corpus: Path) -> None:
    """Removing a file changes only the batch it was in."""
    every = [
        Source(name=str(number), digest=str(number), path=corpus, size=sources.BATCH // 2) for number in range(200)
    ]
    config = Ingestion(source="-")
    before, after = batches(every, config), batches(every[:99] + every[100:], config)

    assert [source for batch in before for source in batch] == every
    assert 60 < len(before) < 140
    assert len([batch for batch in before if batch not in after]) == 1
