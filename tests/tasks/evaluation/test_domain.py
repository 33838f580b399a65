"""A domain file states what must hold; vectors made by hand answer it, and a malformed file is named with the place."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tasks.errors import InputError
from tasks.evaluation import domain, scores
from tasks.evaluation.judging import Space
from tasks.vectors.tables import WordVectors

WORDS = ["man", "woman", "king", "queen", "apple", "pear"]
TABLE = np.array([
    [0.1, 0, 0.2], [0.1, 1, 0.2], [1.1, 0, 0.2], [1.1, 1, 0.2], [0, 0.1, 1], [0.05, 0, 1],
])  # fmt: skip


def judged(tmp_path: Path, text: str) -> pa.Table:
    path = tmp_path / "domain.toml"
    path.write_text(text)
    space = Space(WordVectors(WORDS, np.arange(6), TABLE))
    return domain.judge(space, "domain", domain.read(str(path)), None, 1)


def test_all_three_kinds(tmp_path: Path) -> None:
    """apple is nearer to pear (.994) than to king (.178), not the reverse; king − man + woman is queen; zebra unknown.

    Royals among royals and fruit among fruit, but `man` is put with fruit: its .2 along the last axis outweighs.
    """
    found = judged(
        tmp_path,
        'closer = [["apple", "pear", "apple", "king"], ["apple", "king", "apple", "pear"],'
        ' ["zebra", "king", "apple", "pear"]]\n'
        'analogies = [["man", "king", "woman", "queen"]]\n'
        '[categories]\nroyal = ["king", "queen", "man"]\nfruit = ["apple", "pear"]\n',
    )
    rows = found.to_pylist()
    kinds = {kind: [row for row in rows if row["judge"] == kind] for kind in ("closer", "3cosadd", "category")}

    assert [row["right"] for row in kinds["closer"]] == [True, False, False]
    assert [row["covered"] for row in kinds["closer"]] == [True, True, False]
    assert kinds["closer"][0]["rank"] == 5
    assert kinds["closer"][2]["rank"] is None
    assert kinds["3cosadd"][0]["predicted"] == "queen"
    assert [row["predicted"] for row in kinds["category"]] == ["royal", "royal", "fruit", "fruit", "fruit"]
    figures = scores.figures(found, 100, 0)
    assert figures["domain/domain.closer"] == 0.5
    assert figures["domain/domain.category"] == 0.8
    assert figures["analogy/domain.3cosmul"] == 1


def test_csv_says_the_same(tmp_path: Path) -> None:
    """CSV gives the same, row by row; blank lines are skipped, and a category may span rows."""
    (tmp_path / "domain.toml").write_text(
        'closer = [["apple", "pear", "apple", "king"]]\nanalogies = [["man", "king", "woman", "queen"]]\n'
        '[categories]\nroyal = ["king", "queen", "man"]\nfruit = ["apple", "pear"]\n'
    )
    (tmp_path / "domain.csv").write_text(
        "closer,apple,pear,apple,king\n\nanalogy, man, king, woman, queen\ncategory,royal,king,queen\n"
        'category,fruit,"apple",pear,\ncategory,royal,man,,\n'
    )

    assert domain.read(str(tmp_path / "domain.csv")) == domain.read(str(tmp_path / "domain.toml"))


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    """Semicolons, tabs, CRLF, a byte order mark, capitals, comments and padded rows are read."""
    rows = [
        "# mine",
        "Closer,apple,pear,apple,king",
        "",
        'ANALOGY,man,king,"wo,man",queen',
        "category,a,b,c,,",
        "category,d,e,f",
    ]
    files = []
    for name, separator, end in (("a", ",", "\n"), ("b", ";", "\r\n"), ("c", "\t", "\r")):
        text = end.join(rows).replace("wo,man", "wo\0man").replace(",", separator).replace("\0", ",")
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_bytes(b"\xef\xbb\xbf" + text.encode())
    first, *others = [domain.read(str(file)) for file in files]

    assert first.analogies == [("man", "king", "wo,man", "queen")]
    assert first.categories == {"a": ["b", "c"], "d": ["e", "f"]}
    assert others == [first, first]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("closer,a,b,c,d\ncloser,a,,c,d", r"is not CSV: a cell is empty \(line 2\)"),
        ("nearer,a,b,c,d", "is not CSV: a row begins with closer, analogy or category, not with 'nearer'"),
        ("closer,a,b,c", r"closer.0.3 is not valid in a domain file\nexpected  .*four words"),
        ("category,a,b\ncategory,c,d,e", "categories.a is not"),
        ('closer,"a', "is not CSV"),
        ("", "this domain file is empty"),
    ],
)
def test_wrong_csv_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A malformed CSV is named with the place."""
    (tmp_path / "domain.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        domain.read(str(tmp_path / "domain.csv"))


def test_categories_of_unknown_words_are_not_covered(tmp_path: Path) -> None:
    """With fewer than two categories of two known words, no item is covered."""
    found = judged(tmp_path, '[categories]\nroyal = ["king", "queen"]\ncolours = ["red", "apple"]\n')

    assert scores.figures(found, 100, 0) == {"coverage/domain": 0}
    assert found["covered"].to_pylist() == [False] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("closer = [", "is not TOML"),
        ('closer = [["a", "b", "c"]]', r"closer.0.3 is not valid in a domain file\nexpected  .*four words"),
        (
            '[categories]\na = ["b"]\nc = ["d", "e"]',
            r"categories.a is not .*\n.*\nfound     List should have at least 2",
        ),
        ('[categories]\na = ["b", "c"]', "one category cannot be compared"),
        ("nearer = []", "nearer is not"),
        ("", "this domain file is empty"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    """The error gives the place, what is allowed and what was found."""
    with pytest.raises(InputError, match=message):
        judged(tmp_path, text)
