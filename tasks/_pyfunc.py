"""The model MLflow serves: words in, neighbours or vectors out. It is logged as this code and its data, and runs alone.

The matrix stays on the disk and is mapped, so that several workers share one copy of it.
"""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

WHAT = ("neighbors", "vectors")


class WordVectors(PythonModel):
    def load_context(self, context: PythonModelContext) -> None:
        self.table = np.load(context.artifacts["vectors"], mmap_mode="r", allow_pickle=False)
        words = pq.read_table(context.artifacts["vocabulary"], columns=["word"])["word"].to_pylist()
        self.words = np.array(words, dtype=object)
        self.ids = {word: row for row, word in enumerate(words)}
        lengths = np.sqrt(np.einsum("vd,vd->v", self.table, self.table))
        self.lengths = np.maximum(lengths, np.finfo(np.float32).tiny)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """A row a word, in the order asked. `known` is false for a word without a vector: its lists are empty.

        A word is sought as it is written, else in lower case. Parameters: `what` is "neighbors" (the `k` nearest,
        with their cosine similarities) or "vectors".
        """
        what, k = _asked(params or {})
        asked = model_input["word"].astype(str).tolist()
        rows = [self.ids.get(word, self.ids.get(word.lower())) for word in asked]
        answers = pd.DataFrame({"word": asked, "known": [row is not None for row in rows]})
        if what == "vectors":
            answers["vector"] = [[] if row is None else self.table[row].tolist() for row in rows]
            return answers
        near = [([], []) if row is None else self._nearest(row, k) for row in rows]
        answers["neighbors"] = [words for words, _ in near]
        answers["similarities"] = [cosines for _, cosines in near]
        return answers

    def _nearest(self, row: int, k: int) -> tuple[list[str], list[float]]:
        cosines = self.table @ self.table[row] / (self.lengths * self.lengths[row])
        cosines[row] = -np.inf  # a word is no neighbour of its own
        k = min(k, len(cosines) - 1)
        nearest = np.argpartition(-cosines, k - 1)[:k] if k else np.empty(0, np.int64)
        nearest = nearest[np.argsort(-cosines[nearest], kind="stable")]
        return self.words[nearest].tolist(), cosines[nearest].tolist()


def _asked(params: dict[str, Any]) -> tuple[str, int]:
    what, k = params.get("what", WHAT[0]), int(params.get("k", 10))
    if what not in WHAT or k < 1:
        raise MlflowException.invalid_parameter_value(
            f"expected what = {' or '.join(WHAT)} and k ≥ 1; found what = {what!r}, k = {k}"
        )
    return what, k


mlflow.models.set_model(WordVectors())
