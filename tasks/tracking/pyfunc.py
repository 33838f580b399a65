"""The model that MLflow serves: words in, neighbours, vectors or analogies out; texts in, vectors out.

It is logged as this file and its data, and runs without this project. The matrix stays on the disk and is mapped, so
that several workers share one copy of it.
"""

import functools
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

WHAT = ("neighbors", "vectors", "analogies", "documents")
TINY = np.finfo(np.float32).tiny  # the length of a word without a vector
Found = tuple[int, Any]  # the row of a word, −1 if it has none, and its vector, None if it has none


class WordVectors(PythonModel):
    """The model: a table of vectors and its vocabulary."""

    def load_context(self, context: PythonModelContext) -> None:
        """Map the vectors (V, D), read the vocabulary, and load the rules by which words are looked up."""
        self.table = np.load(context.artifacts["vectors"], mmap_mode="r", allow_pickle=False)
        vocabulary = json.loads(Path(context.artifacts["words"]).read_text(encoding="utf-8"))
        self.words = np.array(vocabulary["word"], dtype=object)
        self.counts = np.array(vocabulary["count"])
        forms = _module("forms", context.artifacts["forms"])
        rules = forms.Rules.loads(vocabulary["rules"]) if vocabulary["rules"] else None
        self.lookup = forms.Lookup(vocabulary["word"], rules)
        self._documents = _module("documents", context.artifacts["documents"])
        lengths = np.sqrt(np.einsum("vd,vd->v", self.table, self.table))
        self.lengths = np.maximum(lengths, TINY)
        self.subwords = None
        if "subwords" in context.artifacts:
            module = _module("subwords", context.artifacts["subwords"])
            buckets = np.load(context.artifacts["buckets"], allow_pickle=False)
            rows = np.load(context.artifacts["rows"], mmap_mode="r", allow_pickle=False)
            self.subwords = module.Subwords(module.Grams(**vocabulary["grams"]), buckets, rows)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a row for each word, in the order asked. `known` is false for a word that is not in the vocabulary.

        Its lists are empty, unless the model has n-grams of it, of which it makes the word a vector.

        A word is looked up as it is written, then as the tokenization of the training text would write it: in lower
        case, composed (NFC), and so on. Parameters: `what` is "neighbors" (the `k` nearest, with their cosine
        similarities), "vectors", "analogies" or "documents". For analogies each `word` is three words, such as "man
        king woman", and its neighbours answer: what is to woman as king is to man? For documents each `word` is a text,
        and its vector that of its words in the vocabulary, by smooth inverse frequency. Raises MlflowException for
        other parameters.
        """
        what, k = _asked(params or {})
        asked = model_input["word"].astype(str).tolist()
        if what == "documents":
            return self._texts(asked)
        found = self._found([text.split() if what == "analogies" else [text] for text in asked], what)
        known = [all(row >= 0 for row, _ in words) for words in found]
        answers = pd.DataFrame({"word": asked, "known": known})
        each_of = [[vector for _, vector in words] for words in found]
        vectors = [[] if any(vector is None for vector in each) else each for each in each_of]
        if what == "vectors":
            answers["vector"] = [[float(number) for vector in each for number in vector] for each in vectors]
            return answers
        near = [
            self._nearest([row for row, _ in words], each, k) if each else ([], [])
            for words, each in zip(found, vectors, strict=True)
        ]
        answers["neighbors"] = [words for words, _ in near]
        answers["similarities"] = [cosines for _, cosines in near]
        return answers

    @functools.cached_property
    def documents(self) -> Any:
        """Return what makes vectors of texts; it is prepared when the first is asked for."""
        return self._documents.Documents(self.table, self.counts)

    def _texts(self, texts: list[str]) -> pd.DataFrame:
        ids = self.lookup.ids
        known = [[ids[word] for word in words if word in ids] for words in self.lookup.forms(texts)]
        vectors = self.documents.vectors(known).tolist()
        return pd.DataFrame({"word": texts, "known": [bool(rows) for rows in known], "vector": vectors})

    def _found(self, asked: list[list[str]], what: str) -> list[list[Found]]:
        """Return the words of each question."""
        if what == "analogies" and (wrong := [words for words in asked if len(words) != 3]):
            raise _refused("three words for each analogy", " ".join(wrong[0]))
        words = [word for each in asked for word in each]
        rows = self.lookup.rows(words)
        vectors = [None if row < 0 else self.table[row] for row in rows]
        unseen = [place for place, row in enumerate(rows) if row < 0]
        if self.subwords:
            forms = self.lookup.forms([words[place] for place in unseen])
            single = [(place, form[0]) for place, form in zip(unseen, forms, strict=True) if len(form) == 1]
            made = self.subwords.of([form for _, form in single])
            for (place, _), vector in zip(single, made, strict=True):
                vectors[place] = vector if vector.any() else None
        found = iter(zip(rows, vectors, strict=True))
        return [[next(found) for _ in each] for each in asked]

    def _nearest(self, rows: list[int], vectors: list[Any], k: int) -> tuple[list[str], list[float]]:
        """Return the k words nearest to a word, or to b − a + c, with their cosines; words asked about are excluded."""
        directions = [vector / max(np.linalg.norm(vector), TINY) for vector in vectors]
        if len(vectors) == 3:
            a, b, c = directions
            query = b - a + c
        else:
            (query,) = directions
        cosines = self.table @ query / (self.lengths * max(np.linalg.norm(query), TINY))
        asked = [row for row in rows if row >= 0]
        cosines[asked] = -np.inf
        k = min(k, len(cosines) - len(set(asked)))
        nearest = np.argpartition(-cosines, k - 1)[:k] if k else np.empty(0, np.int64)
        nearest = nearest[np.argsort(-cosines[nearest], kind="stable")]
        return self.words[nearest].tolist(), cosines[nearest].tolist()


def _module(name: str, file: str) -> ModuleType:
    """Import a file of the model as a module, outside sys.modules: another model may have another version of it."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _asked(params: dict[str, Any]) -> tuple[str, int]:
    what, k = params.get("what", WHAT[0]), int(params.get("k", 10))
    if what not in WHAT or k < 1:
        raise _refused(f"what = {' or '.join(WHAT)} and k ≥ 1", f"what = {what!r}, k = {k}")
    return what, k


def _refused(expected: str, found: str) -> MlflowException:
    error: MlflowException = MlflowException.invalid_parameter_value(f"expected {expected}; found {found}")
    return error


mlflow.models.set_model(WordVectors())
