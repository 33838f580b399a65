"""The model that MLflow serves: words in, neighbours, vectors or analogies out.

It is logged as this file and its data, and runs without this project. The matrix stays on the disk and is mapped, so
that several workers share one copy of it.
"""

import importlib.util
from types import ModuleType
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

WHAT = ("neighbors", "vectors", "analogies")
TINY = np.finfo(np.float32).tiny  # the length of a word without a vector


class WordVectors(PythonModel):
    """The model: a table of vectors and its vocabulary."""

    def load_context(self, context: PythonModelContext) -> None:
        """Map the vectors (V, D), read the vocabulary, and load the rules by which words are looked up."""
        self.table = np.load(context.artifacts["vectors"], mmap_mode="r", allow_pickle=False)
        vocabulary = pq.read_table(context.artifacts["vocabulary"], columns=["word"])
        words = vocabulary["word"].to_pylist()
        self.words = np.array(words, dtype=object)
        normalization = _module(context.artifacts["normalization"])
        self.lookup = normalization.Lookup(words, normalization.Rules.read(vocabulary.schema.metadata))
        lengths = np.sqrt(np.einsum("vd,vd->v", self.table, self.table))
        self.lengths = np.maximum(lengths, TINY)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return a row for each word, in the order asked. `known` is false, and lists are empty, for an unknown word.

        A word is looked up as it is written, then as the tokenization of the training text would write it: in lower
        case, composed (NFC), and so on. Parameters: `what` is "neighbors" (the `k` nearest, with their cosine
        similarities), "vectors", or "analogies". For analogies each `word` is three words, such as "man king woman",
        and its neighbours answer: what is to woman as king is to man? Raises MlflowException for other parameters.
        """
        what, k = _asked(params or {})
        asked = model_input["word"].astype(str).tolist()
        rows = self._rows([text.split() if what == "analogies" else [text] for text in asked], what)
        answers = pd.DataFrame({"word": asked, "known": [row is not None for row in rows]})
        if what == "vectors":
            answers["vector"] = [[] if row is None else self.table[row[0]].tolist() for row in rows]
            return answers
        near = [([], []) if row is None else self._nearest(row, k) for row in rows]
        answers["neighbors"] = [words for words, _ in near]
        answers["similarities"] = [cosines for _, cosines in near]
        return answers

    def _rows(self, asked: list[list[str]], what: str) -> list[list[int] | None]:
        """Return the rows of the words of each question, None where one of them is unknown."""
        if what == "analogies" and (wrong := [words for words in asked if len(words) != 3]):
            raise _refused("three words for each analogy", " ".join(wrong[0]))
        found = iter(self.lookup.rows([word for words in asked for word in words]))
        rows = [[next(found) for _ in words] for words in asked]
        return [None if -1 in each else each for each in rows]

    def _nearest(self, rows: list[int], k: int) -> tuple[list[str], list[float]]:
        """Return the k words nearest to a word, or to b − a + c, with their cosines; words asked about are excluded."""
        directions = [self.table[row] / self.lengths[row] for row in rows]
        if len(rows) == 3:
            a, b, c = directions
            query = b - a + c
        else:
            (query,) = directions
        cosines = self.table @ query / (self.lengths * max(np.linalg.norm(query), TINY))
        cosines[rows] = -np.inf
        k = min(k, len(cosines) - len(set(rows)))
        nearest = np.argpartition(-cosines, k - 1)[:k] if k else np.empty(0, np.int64)
        nearest = nearest[np.argsort(-cosines[nearest], kind="stable")]
        return self.words[nearest].tolist(), cosines[nearest].tolist()


def _module(file: str) -> ModuleType:
    """Import a file of the model as a module, outside sys.modules: another model may have another version of it."""
    spec = importlib.util.spec_from_file_location("normalization", file)
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
