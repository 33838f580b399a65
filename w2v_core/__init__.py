"""word2vec in NumPy: takes and returns numbers and arrays; reads no file, writes no log, draws no progress bar.

May import: NumPy, SciPy and threadpoolctl.
Read in this order: windows, vocabulary, model, subwords; examples, skip_gram, cbow; sparse, objectives; batches,
training, factory; then fast, whose derivations stand at the head of each file; then measures; and meeting, where
several models become one. randomness and schedules are two small helpers. The public names below are loaded when they
are first used (PEP 562); `__init__.pyi` types them.
"""

from importlib import import_module

_PLACES = {
    "ARCHITECTURES": "factory",
    "OBJECTIVES": "factory",
    "Model": "model",
    "Settings": "training",
    "Vectors": "measures.similarity",
    "Windows": "windows",
    "combine": "meeting",
    "draw": "windows",
    "generator": "randomness",
    "held_out_loss": "measures.likelihood",
    "initial": "model",
    "keep_probabilities": "vocabulary",
    "learner": "factory",
    "train": "training",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(import_module(f"w2v_core.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'w2v_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
