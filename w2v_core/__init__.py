"""WHAT: word2vec in NumPy. Takes and returns numbers and arrays; knows no file, framework, log or progress bar.

May import: NumPy, SciPy's sparse product, threadpoolctl.
Read in this order: windows, vocabulary, model; skip_gram, cbow; softmax, negative_sampling, hierarchical_softmax;
problems, sparse, batches, training, learners; and the fast path, derived where it stands: blocks, noise_blocks,
tree_blocks, flight. The public names below are loaded when they are first used (PEP 562); `__init__.pyi` types them.
"""

from importlib import import_module

_PLACES = {
    "ARCHITECTURES": "learners",
    "OBJECTIVES": "learners",
    "Model": "model",
    "Settings": "training",
    "Vectors": "similarity",
    "Windows": "windows",
    "draw": "windows",
    "generator": "randomness",
    "held_out_loss": "likelihood",
    "initial": "model",
    "keep_probabilities": "vocabulary",
    "learner": "learners",
    "train": "training",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(import_module(f"w2v_core.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'w2v_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
