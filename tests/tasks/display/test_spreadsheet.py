"""No cell of a CSV for spreadsheets is a formula, and numbers stay numbers."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.display import spreadsheet

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1+1", "＝1＋1", "－1", "＠x", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("word", FORMULAS)
def test_a_formula_is_a_word(word: str, tmp_path: Path) -> None:
    """Formulas in cells and headers become text; negative numbers stay numbers."""
    frame = pd.DataFrame({word: [word, "plain"], "score": [-0.5, 2.0], "items": [-1, 3]})
    spreadsheet.write(frame, tmp_path / "table.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "table.csv").read_bytes().decode(), newline="")))
    read = pd.read_csv(tmp_path / "table.csv")

    assert rows[0][0] == rows[1][0] == "'" + word.replace("\r", " ")
    assert rows[2][0] == "plain"
    assert read["score"].tolist() == [-0.5, 2.0]
    assert read["items"].tolist() == [-1, 3]


@given(st.text("=+-@＝ \t\r\n'ab1", min_size=1, max_size=4))
def test_no_text_begins_like_a_formula(word: str) -> None:
    """No text in the output begins like a formula; harmless text is unchanged."""
    safe = spreadsheet.harmless(word)

    assert not safe.lstrip(" ").startswith(tuple("=+-@＝\t\r\n"))
    assert safe == word or not word[0].isalnum() or "\r" in word or "\n" in word


def test_an_empty_table_keeps_its_head(tmp_path: Path) -> None:
    """An empty table keeps its column names."""
    spreadsheet.write(pd.DataFrame(columns=["score", "=band"]), tmp_path / "table.csv")

    assert (tmp_path / "table.csv").read_text() == "score,'=band\n"
