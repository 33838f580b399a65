"""What is worth knowing of a result and stops nothing: words that are not known, pairs that are there twice, clauses.

The stages keep the facts; the sentences stand on the terminal and in the report.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.engine.store import Manifest

LARGE = 0.1  # share of the characters of a text from which on it is largely of a script


def notes(manifests: Mapping[str, Manifest]) -> list[str]:
    """Sentences about the outputs of these stages, by the names they go by in a run."""
    facts = {name: manifest.facts for name, manifest in manifests.items()}
    return [*_of_text(facts["tokens"]), *_of_lists(facts), *_of_sets(facts["evaluation"])]


def clauses(shares: Mapping[str, float]) -> str:
    """The warning about a text that is largely of scripts without spaces; "" where it is not."""
    if not (large := {script: share for script, share in shares.items() if share >= LARGE}):
        return ""
    listed = " and ".join(f"{share:.0%} {script}" for script, share in large.items())
    return (
        f"The text is {listed}, which puts no spaces between words: whole clauses have become words. "
        "Set tokenization.segmenter=icu (the extra `segment`) to cut them by dictionaries."
    )


def _of_text(facts: Mapping[str, Any]) -> Iterator[str]:
    if warned := clauses(facts.get("spaceless", {})):
        yield warned


def _of_lists(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for stage, key in (("vocabulary", "vocabulary.fixed"), ("vectors", "training.frozen")):
        listed = facts[stage].get("listed", {})
        if listed.get("unknown"):
            yield f"{key}: {_some(listed, 'words of the list', 'not in the text')}"


def _of_sets(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, each in facts.get("sets", {}).items():
        if each["unknown"]:
            yield f"{name}: {_some(each, 'words', 'unknown')}"
        if each["repeated"]:
            yield f"{name}: {each['repeated']:,} repeated, such as {each['such_as']}"


def _some(each: Mapping[str, Any], what: str, fault: str) -> str:
    rest = " …" if each["unknown"] > len(each["first"]) else ""
    is_or_are = "is" if each["unknown"] == 1 else "are"
    return f"{each['unknown']:,} of {each['words']:,} {what} {is_or_are} {fault}: {' '.join(each['first'])}{rest}"
