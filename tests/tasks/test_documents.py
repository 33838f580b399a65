"""Documents: whatever is cut, nothing is lost, and what is no text is told by its place."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks._documents import cut, row, texts

WORDS = st.text("ab \n\té。 ", max_size=60)


def read(content: bytes, **settings: object) -> list[tuple[str, str | None, str]]:
    documents = texts(io.BytesIO(content), "f.txt", Ingestion(source="", **settings))
    return [(document.name, document.text, document.place) for document in documents]


def test_a_long_text_is_cut_at_its_last_white_space() -> None:
    """At most ten characters a piece: "two three " ends behind a space, and "fourteenchars!" has none to be cut at."""
    text = "one two three fourteenchars! five"

    assert list(cut(io.StringIO(text).read, 10)) == ["one two ", "three ", "fourteench", "ars! five"]


@given(WORDS, st.integers(1, 12))
def test_pieces_join_to_the_whole(text: str, length: int) -> None:
    """No character is lost, doubled or moved, and no piece is longer than allowed but by its line's end."""
    pieces = list(cut(io.StringIO(text).read, length))

    assert "".join(pieces) == text
    assert all(len(piece.removesuffix("\n")) <= length for piece in pieces)


@given(st.lists(st.text("abé", min_size=1, max_size=6), max_size=20), st.integers(7, 12))
def test_no_word_is_cut_that_fits(words: list[str], length: int) -> None:
    """Where every word is shorter than a piece, the words of the pieces are the words of the text."""
    pieces = cut(io.StringIO(" ".join(words)).read, length)

    assert [word for piece in pieces for word in piece.split()] == words


@given(st.lists(WORDS.map(lambda text: text.replace("\n", "")), max_size=8), st.integers(1, 12))
def test_line_mode_gives_each_line_that_is_not_blank(lines: list[str], length: int) -> None:
    """Pieces of a line carry its number; joined, they are the line, up to blanks between them."""
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
    """Without a further word a .txt file is one document; only its last line's end is taken off."""
    assert read(b"one\n\ntwo\n") == [("f.txt", "one\n\ntwo", "byte 0")]


def test_pieces_are_numbered() -> None:
    """The second piece of a file, and of a line, is `#2`; its place is where it begins."""
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
    """It is counted, not passed over; blank lines only separate."""
    assert read(b"") == [("f.txt", "", "byte 0")]
    assert read(b"\n \n", text_documents="line") == []


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"caf\xe9 noir", "byte 3"),  # Latin-1
        ("été ".encode() + b"\xff", "byte 6"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "byte 0"),
        (b"text then\x00zero", "byte 9"),
        ("cut é".encode()[:-1], "byte 4"),
        (b"\xed\xa0\x80", "byte 0"),  # a surrogate, which UTF-8 has not
    ],
)
def test_what_is_no_text_is_told_by_its_byte(content: bytes, place: str) -> None:
    """Bytes that are not UTF-8, and zero bytes, leave a document without text and say where the first of them is."""
    assert read(content) == [("f.txt", None, place)]


def test_one_bad_line_costs_one_line() -> None:
    """The lines around it are read, and its place counts from the beginning of the file."""
    assert read(b"one\ntw\xffo\nthree", text_documents="line") == [
        ("f.txt:1", "one", "byte 0"),
        ("f.txt:2", None, "byte 6"),
        ("f.txt:3", "three", "byte 9"),
    ]


@given(st.binary(max_size=40))
def test_bytes_are_text_exactly_if_python_decodes_them(content: bytes) -> None:
    """Whatever the bytes, they become the text that Python makes of them, or are counted as none."""
    try:
        expected = content.decode()
    except UnicodeDecodeError as error:
        start = error.start
        zero = content.find(b"\0")
        expected, start = None, min(start, zero) if zero >= 0 else start
    else:
        if "\0" in expected:
            expected, start = None, content.find(b"\0")
    [(_, text, place)] = read(content)

    assert text == (expected if expected is None else expected.removesuffix("\n"))
    assert text is not None or place == f"byte {start}"


def test_a_row_is_decoded_as_a_whole() -> None:
    """One bad character leaves out the row; a long good one is cut like any text."""
    config = Ingestion(source="", document_length=4)

    assert list(row("r:1", "a \ud800 b c d e", "byte 5", config)) == [("r:1", None, "byte 5", 1)]
    assert list(row("r:1", "a b c d", "byte 5", config)) == [("r:1", "a b ", "byte 5", 1), ("r:1", "c d", "byte 5", 2)]
