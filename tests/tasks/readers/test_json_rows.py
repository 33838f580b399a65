"""JSON lines, and objects in an array or in any layout, are read one at a time; errors name the true cause."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers import json_rows
from tasks.readers.json_rows import json_lines, json_values

CONFIG = Ingestion(source="-")
OBJECTS = st.lists(
    st.fixed_dictionaries({"text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))}),
    max_size=6,
)


def values(content: str | bytes) -> list[str | None]:
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    return [document.text for document in json_values(stream, "f", CONFIG)]


def rows(content: bytes) -> list[tuple[str | None, str]]:
    return [(document.text, document.place) for document in json_lines(io.BytesIO(content), "f", CONFIG)]


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 18])
@given(objects=OBJECTS, indent=st.sampled_from([None, 0, 3]), separator=st.sampled_from(["\n", "", " \r\n\t"]))
def test_layout_is_no_matter(block: int, objects: list[dict[str, str]], indent: int | None, separator: str) -> None:
    """Arrays and consecutive objects are read with any indentation and any position of block ends."""
    expected = [each["text"] for each in objects]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "BLOCK", block)

        assert values(json.dumps(objects, indent=indent)) == expected
        assert values(separator.join(json.dumps(each, indent=indent) for each in objects)) == expected


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ('[{"text": "a"}, {"text": "b"', r"not JSON at character 28: Expecting ',' delimiter"),
        ('[{"text": "a"}', "the array is not closed"),
        ('[{"text": "a"} {"text": "b"}]', "character 15: a comma or ] was expected"),
        ('[{"text": "a"}] more', "character 16: something follows the array"),
        ('[{"text": "a"}, ]', "character 16: Expecting value"),
        ('{"text": "a"}, {"text": "b"}', "character 13: Expecting value"),
        ('["a", "b"]', r"f:1 \(object 1\) is valid JSON, but 'a' instead of an object"),
        ('{"data": [{"text": "a"}]}', r"there is no column 'text'\nfound     data"),
        ('{"text": "a", "text": "b"}', r"f:1 \(object 1\): the object has 'text' twice"),
        ("[" * 200_000, "it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_told(content: str, cause: str) -> None:
    """Invalid JSON raises an error with its place and cause."""
    with pytest.raises(InputError, match=cause):
        values(content)


def test_an_object_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object without end is refused before it fills the memory."""
    monkeypatch.setattr(json_rows, "LONGEST_ROW", 1000)
    monkeypatch.setattr(json_rows, "BLOCK", 100)

    with pytest.raises(InputError, match=r"^f: the object at character 16 is too long\nexpected  at most "):
        values('[{"text": "a"}, {"text": "' + "x" * 10_000)


def test_bytes_that_are_not_utf8_cost_a_word() -> None:
    """Invalid bytes cost the word that contains them, also inside an array."""
    assert values(b'[{"text": "caf\xe9 noir"}, {"text": "b"}]') == [" noir", "b"]


def test_a_damaged_line_costs_a_line() -> None:
    """After valid lines, an invalid line is damage, even if it resembles another layout."""
    content = b'{"text": "a"}\n{"text": "b"}{"text": "c"}\n{"text": "d"},\n{"text": "e"}\n'

    assert rows(content) == [("a", "byte 0"), (None, "byte 27"), (None, "byte 54"), ("e", "byte 56")]


def test_a_damaged_first_line_that_is_no_other_layout_is_damage() -> None:
    """An invalid first line of no other layout, such as one cut short, is damage."""
    assert rows(b'ext": "a"}\n{"text": "b"}\n') == [(None, "byte 0"), ("b", "byte 11")]


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_first_line_that_is_cut_short_is_damage(cut: int) -> None:
    """A first line cut after its brace or within its key is damage if an object follows on the next line."""
    found = [text for text, _ in rows(('{"text": "a"}'[:cut] + '\n{"text": "b"}\n').encode())]

    assert found == [None, "b"]


@pytest.mark.parametrize(
    ("first", "cause"),
    [
        ('{"text": "a"},', "with a comma at the end of the line"),
        ('{"text": "a"}{"text": "b"}', "several objects in one line"),
        ("[", "an array of objects over several lines"),
    ],
)
def test_another_layout_is_refused_by_its_first_line(first: str, cause: str) -> None:
    """JSON of another layout is refused, also where the next line begins with a brace."""
    with pytest.raises(InputError, match=cause):
        rows(f'{first}\n{{"text": "b"}},\n'.encode())


def test_a_name_twice_is_refused() -> None:
    """A duplicate name is refused if it is the text or id column, and allowed otherwise."""
    assert rows(b'{"text": "a", "n": 1, "n": 2, "meta": {"text": 1, "text": 2}}') == [("a", "byte 0")]

    with pytest.raises(InputError, match=r"^f:1 \(byte 0\): the object has 'text' twice\nexpected  each name once"):
        rows(b'{"text": "a", "text": "b"}')
