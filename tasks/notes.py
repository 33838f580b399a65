"""Collect notes on a result that do not stop it: unknown words, repeated pairs, unsegmented text.

The stages record the facts; the sentences appear on the terminal and in the report.
"""

from collections.abc import Iterator, Mapping

from tasks.engine.facts import (
    EvaluationFacts,
    JudgedSet,
    ListedWords,
    PhrasesFacts,
    TokensFacts,
    VectorsFacts,
    VocabularyFacts,
    recorded,
)
from tasks.engine.store import Manifest
from tasks.text.segmenters import unspaced
from tasks.tracking.names import LOSS

HOLD_OUT = "Give more documents, or raise windows.held_out_fraction, to have it measured."


def notes(manifests: Mapping[str, Manifest]) -> list[str]:
    """Return sentences about the outputs of these stages, by their names in a run."""
    words = recorded(VocabularyFacts, manifests["vocabulary"])
    learnt, judged = recorded(VectorsFacts, manifests["vectors"]), recorded(EvaluationFacts, manifests["evaluation"])
    return [
        *_of_text(recorded(TokensFacts, manifests["tokens"])),
        *_of_phrases(recorded(PhrasesFacts, manifests["phrases"]) if "phrases" in manifests else None),
        *_of_list("vocabulary.fixed", words.get("listed")),
        *_of_list("training.frozen", learnt.get("listed")),
        *_of_loss(judged),
        *_of_sets(judged),
    ]


def _of_text(found: TokensFacts) -> Iterator[str]:
    if warned := unspaced(found.get("spaceless", {})):
        yield warned


def _of_phrases(found: PhrasesFacts | None) -> Iterator[str]:
    if found:
        named = ", such as " + " ".join(found["examples"]) if found["phrases"] else ": lower phrases.threshold"
        yield f"{found['phrases']:,} phrases became words{named}"


def _of_list(key: str, listed: ListedWords | None) -> Iterator[str]:
    if listed and listed["unknown"]:
        yield f"{key}: {_some(listed, 'words of the list', 'not in the text')}"


def _of_loss(judged: EvaluationFacts) -> Iterator[str]:
    if LOSS not in judged["metrics"]:
        yield f"No window was held out, so J(θ) is not known. {HOLD_OUT}"


def _of_sets(judged: EvaluationFacts) -> Iterator[str]:
    for name, each in judged.get("sets", {}).items():
        if each["unknown"]:
            yield f"{name}: {_some(each, 'words', 'unknown')}"
        if each["repeated"]:
            yield f"{name}: {each['repeated']:,} repeated, such as {each['such_as']}"


def _some(each: ListedWords | JudgedSet, what: str, fault: str) -> str:
    rest = " …" if each["unknown"] > len(each["first"]) else ""
    is_or_are = "is" if each["unknown"] == 1 else "are"
    return f"{each['unknown']:,} of {each['words']:,} {what} {is_or_are} {fault}: {' '.join(each['first'])}{rest}"
