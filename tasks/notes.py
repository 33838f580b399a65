"""Collect notes on a result that do not stop it: unknown words, repeated pairs, unsegmented text.

The stages record the facts; the sentences appear on the terminal and in the report.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.engine.store import Manifest
from tasks.text.segmenters import unspaced
from tasks.tracking.names import LOSS

HOLD_OUT = "Give more documents, or raise windows.held_out_fraction, to have it measured."


def notes(manifests: Mapping[str, Manifest]) -> list[str]:
    """Return sentences about the outputs of these stages, by their names in a run."""
    facts = {name: manifest.facts for name, manifest in manifests.items()}
    return [
        *_of_text(facts["tokens"]),
        *_of_phrases(facts.get("phrases", {})),
        *_of_lists(facts),
        *_of_loss(facts["evaluation"]),
        *_of_sets(facts["evaluation"]),
    ]


def _of_text(facts: Mapping[str, Any]) -> Iterator[str]:
    if warned := unspaced(facts.get("spaceless", {})):
        yield warned


def _of_phrases(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts:
        named = ", such as " + " ".join(facts["examples"]) if facts["phrases"] else ": lower phrases.threshold"
        yield f"{facts['phrases']:,} phrases became words{named}"


def _of_lists(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for stage, key in (("vocabulary", "vocabulary.fixed"), ("vectors", "training.frozen")):
        listed = facts[stage].get("listed", {})
        if listed.get("unknown"):
            yield f"{key}: {_some(listed, 'words of the list', 'not in the text')}"


def _of_loss(facts: Mapping[str, Any]) -> Iterator[str]:
    if LOSS not in facts["metrics"]:
        yield f"No window was held out, so J(θ) is not known. {HOLD_OUT}"


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
