"""Documents are cut without loss, and what is not text is reported with its place."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.readers.documents import Document, cut, row, texts

WORDS = st.text("ab \n\té。 ", max_size=60)


def documents_of(content: bytes, **settings: object) -> list[Document]:
    return list(texts(io.BytesIO(content), "f.txt", Ingestion(source="-", **settings)))


def read(content: bytes, **settings: object) -> list[tuple[str, str | None, str]]:
    return [(document.name, document.text, document.place) for document in documents_of(content, **settings)]


def test_a_long_text_is_cut_at_its_last_white_space() -> None:
    """A piece of at most ten characters ends after a space; "fourteenchars!" has none and is cut within."""
    text = "one two three fourteenchars! five"

    assert list(cut(io.StringIO(text).read, 10)) == ["one two ", "three ", "fourteench", "ars! five"]


@given(WORDS, st.integers(1, 12))
def test_pieces_join_to_the_whole(text: str, length: int) -> None:
    """No character is lost, doubled or moved; no piece is longer than allowed, except by its newline."""
    pieces = list(cut(io.StringIO(text).read, length))

    assert "".join(pieces) == text
    assert all(len(piece.removesuffix("\n")) <= length for piece in pieces)


@given(st.lists(st.text("abé", min_size=1, max_size=6), max_size=20), st.integers(7, 12))
def test_no_word_is_cut_that_fits(words: list[str], length: int) -> None:
    """If every word is shorter than a piece, the words of the pieces are the words of the text."""
    pieces = cut(io.StringIO(" ".join(words)).read, length)

    assert [word for piece in pieces for word in piece.split()] == words


@given(st.lists(WORDS.map(lambda text: text.replace("\n", "")), max_size=8), st.integers(1, 12))
def test_line_mode_gives_each_line_that_is_not_blank(lines: list[str], length: int) -> None:
    """Pieces of a line carry its number; joined, they are the line, except for blanks between them."""
    documents = read("\n".join(lines).encode(), text_documents="line", document_length=length)
    joined: dict[int, str] = {}
    for source, text, _ in documents:
        assert text is not None
        number = int(source.removeprefix("f.txt:").partition("#")[0])
        joined[number] = joined.get(number, "") + text

    assert {n: "".join(text.split()) for n, text in joined.items()} == {
        n: "".join(line.split()) for n, line in enumerate(lines, start=1) if line.strip()
    }


def test_a_file_is_one_document() -> None:
    """By default a .txt file is one document, without its last newline."""
    assert read(b"one\n\ntwo\n") == [("f.txt", "one\n\ntwo", "byte 0")]


def test_pieces_are_numbered() -> None:
    """The second piece of a file or line is named `#2`; its place is where it begins."""
    assert read("é two three".encode(), document_length=6) == [
        ("f.txt", "é two ", "byte 0"),
        ("f.txt#2", "three", "byte 7"),
    ]
    assert read(b"a\nbb cc dd\n", document_length=6, text_documents="line") == [
        ("f.txt:1", "a", "byte 0"),
        ("f.txt:2", "bb cc ", "byte 2"),
        ("f.txt:2#2", "dd", "byte 8"),
    ]


def test_an_empty_file_is_an_empty_document() -> None:
    """An empty file is counted as an empty document; blank lines only separate."""
    assert read(b"") == [("f.txt", "", "byte 0")]
    assert read(b"\n \n", text_documents="line") == []


@pytest.mark.parametrize(
    ("content", "rest", "flaw", "lost"),
    [
        (b"caf\xe9 noir", " noir", "byte 3", 4),  # Latin-1
        ("été ".encode() + b"\xff", "été ", "byte 6", 1),
        (b"\x89PNG\r\n\x1a\n\x00\x00", None, "byte 0", 6),  # counted as two words
        (b"text then\x00zero more", "text  more", "byte 9", 9),
        ("cut é".encode()[:-1], "cut ", "byte 4", 1),
        (b"\xed\xa0\x80", None, "byte 0", 3),  # a surrogate, which is invalid in UTF-8
        ("市长江大".encode() + b"\xff" + "桥。你好".encode(), "。你好", "byte 12", 6),
    ],
)
def test_damage_costs_the_word(content: bytes, rest: str | None, flaw: str, lost: int) -> None:
    """Invalid UTF-8 and zero bytes cost the word that contains them; the place of the first is reported."""
    [document] = documents_of(content)

    assert (document.text, document.flaw, document.lost) == (rest, flaw, lost)


def test_three_bad_bytes_cost_three_words() -> None:
    """Three invalid bytes cost three words, not pieces of 100,000 characters."""
    content = bytearray(b"word " * 340_000)
    for place in (12, 600_001, 1_200_003):
        content[place] = 0xE9
    found = documents_of(bytes(content))

    assert sum(len((document.text or "").split()) for document in found) == 340_000 - 3
    assert sum(document.damaged for document in found) == 3


def test_damage_in_a_line_costs_no_other() -> None:
    """Lines around a damaged one are read; its place counts from the beginning of the file."""
    found = documents_of(b"one\ntw\xffo and more\nthree", text_documents="line")

    assert [(each.name, each.text, each.flaw) for each in found] == [
        ("f.txt:1", "one", ""),
        ("f.txt:2", " and more", "byte 6"),
        ("f.txt:3", "three", ""),
    ]


@given(st.binary(max_size=40))
def test_words_are_kept_exactly_if_python_decodes_them(content: bytes) -> None:
    """Valid words come out as Python decodes them; lost characters are counted exactly."""
    [document] = documents_of(content)
    every = content.decode(errors="surrogateescape").removesuffix("\n")
    sound = ("\0" not in every and every.isprintable()) or every.isascii()

    assert len(document.text or "") + document.lost <= len(every)
    assert bool(document.damaged) == (len(content.decode(errors="ignore").encode()) < len(content) or b"\0" in content)
    assert document.damaged or not sound or document.text == every


def test_a_row_loses_no_more_than_words() -> None:
    """An invalid character in a row costs its word; a long row is cut like any text."""
    config = Ingestion(source="-", document_length=4)

    assert [(each.text, each.damaged) for each in row("r:1", "a \ud800 b c d e", "byte 5", config)] == [
        ("a  ", 1), ("b c ", 0), ("d e", 0),
    ]  # fmt: skip
    assert [each[:4] for each in row("r:1", "a b c d", "byte 5", config)] == [
        ("r:1", "a b ", "byte 5", 1), ("r:1", "c d", "byte 5", 2),
    ]  # fmt: skip
