"""Whose vectors an export holds, and the model card that says so."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from tasks.text.normalization import DELIMITER, Rules
from tasks.vectors.writing import Counts

SHOWN = (
    "training.architecture",
    "training.objective",
    "training.vector_size",
    "training.epochs",
    "windows.window",
    "vocabulary.min_count",
    "tokenization.kind",
    "phrases.passes",
    "seed",
)


class Score(NamedTuple):
    """A score of the run, with the ends of its 95% interval and the share of items that it covers where known."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    covered: float | None = None


class About(NamedTuple):
    """Whose vectors they are, and what is known of their making."""

    origin: str = "not known"  # version, run, epoch
    config: str = ""  # its name
    text: str = ""  # where the text came from
    documents: str = ""  # the digest of the documents
    settings: Mapping[str, str] = {}
    scores: tuple[Score, ...] = ()
    certificate: str = ""  # the digest of the run's reproducibility.json
    program: str = ""  # that wrote this
    licence: str = ""  # of the text, as Hugging Face writes it


NOTHING = About()


def card(
    about: About, words: list[str], counts: Counts, size: int, rules: Rules | None, uses: str, tags: list[str]
) -> str:
    """Return the model card: YAML for the Hub, then what people read; `uses` is the section on how to load it."""
    head = {"license": about.licence} if about.licence else {}
    known = [
        ("vectors of", about.origin),
        ("words", f"{len(words):,}, of {int(counts.sum()):,} occurrences in the text"),
        ("dimensions", f"{size:,}"),
        ("text", about.text),
        ("licence of the text", about.licence or "not stated: find it out before you pass these vectors on"),
        ("documents", _digest(about.documents)),
        ("certificate", _digest(about.certificate) + " of the run's `reproducibility.json`" * bool(about.certificate)),
        *((key, about.settings[key]) for key in SHOWN if about.settings.get(key) not in (None, "None")),
        ("written by", about.program),
    ]
    parts = [
        "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in (head | {"tags": tags}).items()), "---"]),
        f"# {_cell(about.config) or 'Word vectors'}",
        _table(["", ""], [[name, _cell(value)] for name, value in known if value]),
        "## Scores\n\n" + (_scores(about.scores) if about.scores else "None are known."),
        "## How a text becomes words\n\n" + _rules(rules, words),
        "## How to load\n\n" + uses.strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _scores(scores: tuple[Score, ...]) -> str:
    rows = [
        [
            f"`{each.name}`",
            f"{each.value:.4g}",
            "" if each.low is None or each.high is None else f"{each.low:.4g} … {each.high:.4g}",
            "" if each.covered is None else f"{each.covered:.0%}",
        ]
        for each in scores
    ]
    return _table(["score", "value", "95% interval", "items covered"], rows)


def _rules(rules: Rules | None, words: list[str]) -> str:
    rules = rules or Rules()
    if rules.kind == "items":
        return "It does not: each word is the id of an item, as it is."
    said = [
        "Words are in lower case." if rules.lowercase else "Capitals are kept.",
        "They are composed (NFC), without invisible characters.",
        f"A word is a match of the RE2 expression `{_cell(rules.pattern)}`."
        if rules.pattern
        else "A word is a sequence of letters, marks and digits of any script.",
        {"keep": "", "spell": "Each digit is a word: 42 is `four two`.", "drop": "Digits are left out."}[rules.digits],
        "Chinese, Japanese, Thai, Khmer, Lao and Burmese were cut with ICU's dictionaries: put a blank between the "
        "words of such a text first."
        if rules.segmenter
        else "",
        f"Phrases are one word, joined by `{DELIMITER}`." if any(DELIMITER in word for word in words) else "",
    ]
    return " ".join(filter(None, said))


def _digest(digest: str) -> str:
    return f"`{digest}` (BLAKE2b-128)" if digest else ""


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])
