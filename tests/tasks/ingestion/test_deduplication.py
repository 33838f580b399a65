"""Copies are kept once, repetitions as often as they occur, unless the user chooses otherwise."""

import logging
from pathlib import Path

import pytest

from configs.schema import Ingestion
from tasks.engine.stage import Context
from tasks.engine.store import Account
from tasks.errors import InputError
from tasks.ingestion.deduplication import Losses, Sieve, check
from tasks.ingestion.estimate import sample
from tasks.ingestion.stage import ingestion
from tasks.readers.documents import Document


def sifted(*documents: Document, **settings: object) -> list[str | None]:
    return [document.text for document, _ in Sieve(Ingestion(source="-", **settings))(documents)]


@pytest.mark.parametrize(
    ("unit", "choice", "kept"),
    [
        ("file", None, 1), ("docstring", None, 1), ("line", None, 2), ("row", None, 2),
        ("file", "keep", 2), ("docstring", "keep", 2), ("line", "drop", 1), ("row", "drop", 1),
    ],
)  # fmt: skip
def test_what_repeats(unit: str, choice: str | None, kept: int) -> None:
    """A repeated file is a copy; a repeated basket is a second basket."""
    assert len(sifted(*[Document("x", "milk bread", "", unit=unit)] * 2, duplicates=choice)) == kept


@pytest.mark.parametrize("how", ["plan", "ingestion"])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"text_documents": "line"}, "repeat"),
        ({"text_documents": "line", "duplicates": "keep"}, "kept"),
        ({"text_documents": "line", "duplicates": "drop"}, "left out"),
    ],
)
def test_what_becomes_of_repetitions_is_told(
    context: Context, tmp_path: Path, how: str, settings: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Plan and ingestion report how many texts repeat, and whether they are kept."""
    (tmp_path / "a.txt").write_text("milk\nbread\nmilk\nmilk\n")
    config = Ingestion(source=str(tmp_path / "a.txt"), **settings)
    with caplog.at_level(logging.INFO, "w2v"):
        if how == "plan":
            sample(config, tmp_path)
            assert "2 of the first 4" in caplog.text
        else:
            account = ingestion.compute(context=context, config=config).manifest.account
            assert account.left_out["duplicate"] == (2 if settings.get("duplicates") == "drop" else 0)

    assert said in caplog.text or (how == "ingestion" and "2 duplicate left out" in caplog.text)


def account(**left_out: int) -> Account:
    return Account(unit="documents", read=100, written=100 - sum(left_out.values()), left_out=left_out)


@pytest.mark.parametrize(
    ("choice", "left_out", "characters", "passes"),
    [
        (None, {"undecodable": 0, "empty": 0, "duplicate": 20}, {"duplicate": 20}, True),
        (None, {"undecodable": 0, "empty": 0, "duplicate": 21}, {"duplicate": 0}, False),
        ("drop", {"undecodable": 0, "empty": 0, "duplicate": 90}, {"duplicate": 900}, True),
        (None, {"undecodable": 1, "empty": 0, "duplicate": 0}, {"undecodable": 26}, False),
        (None, {"undecodable": 0, "empty": 0, "duplicate": 0}, {"undecodable": 26}, False),
        (None, {"undecodable": 0, "empty": 0, "duplicate": 0}, {"undecodable": 25}, True),
        ("keep", {"undecodable": 0, "empty": 30, "duplicate": 0}, {}, True),
    ],
)
def test_the_larger_share_counts(
    choice: str | None, left_out: dict[str, int], characters: dict[str, int], passes: bool
) -> None:
    """The larger of the lost shares, of documents or of characters, is checked; deliberate drops are not lost."""
    config = Ingestion(source="x", duplicates=choice)
    damaged = characters.get("undecodable", 0)
    losses = Losses(
        characters=characters, damaged=damaged, first=dict.fromkeys([*left_out, "damaged"], "a.txt, byte 0")
    )
    if passes:
        check(config, account(**left_out), losses, 100, "")
        return

    with pytest.raises(InputError, match=r"^x: ([1-9]\d* of 100 documents.*|\d.*% of the characters) were rejected"):
        check(config, account(**left_out), losses, 100, "")


def test_damage_is_told(context: Context, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The report gives the number of damaged words and characters and the first place."""
    (tmp_path / "a.txt").write_bytes(b"good words " * 100 + b"caf\xe9 " + b"good words " * 100 + b"\xe9t\xe9\n")
    with caplog.at_level(logging.INFO, "w2v"):
        made = ingestion.compute(context=context, config=Ingestion(source=str(tmp_path / "a.txt")))

    assert (
        "2 words with bytes that are not UTF-8 left out (7 characters), the first in a.txt, byte 1,103" in caplog.text
    )
    assert made.manifest.account.left_out == {"undecodable": 0, "empty": 0, "duplicate": 0}
    assert made.manifest.facts["losses"]["damaged"] == 2
