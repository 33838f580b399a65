"""Initialise a training: new vectors or those of an earlier training, and the words whose vectors are frozen."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.schema import Tokenization, Training
from tasks.datasets import contracts
from tasks.datasets.files import digest_of_file
from tasks.datasets.word_lists import chosen, list_digest
from tasks.errors import InputError
from tasks.text.normalization import Rules
from tasks.vectors import tables
from w2v_core.model import Model, initial, warm, with_parts
from w2v_core.randomness import generator
from w2v_core.subwords import Grams, parts

WHICH = "Set training.warm_start to a vectors.parquet, whose path `w2v retrain` prints at its end."


class Start(NamedTuple):
    """The start of a training: initial model, frozen words, and facts for the manifest."""

    model: Model
    frozen: NDArray[np.bool_]  # (V,)
    facts: dict[str, Any]


def start_digests(config: Training) -> list[str | None]:
    """Return the digests of the files that a training starts from. Raises InputError if one cannot be read."""
    frozen = list_digest(config.frozen, "training.frozen")
    if config.warm_start is None:
        return [None, frozen]
    path = Path(config.warm_start)
    try:
        path.stat()  # pyarrow's message for a missing file is long
        _check_start(path, config.vector_size)
        return [digest_of_file(path), frozen]
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(
            f"{path}: cannot read these vectors ({getattr(error, 'strerror', None) or error}).\n{WHICH}"
        ) from error


def _check_start(path: Path, vector_size: int) -> None:
    """Raise InputError if the file holds no vectors of this size; only its schema is read."""
    size = _size(path)
    if isinstance(size, str):
        raise InputError(
            f"{path}: these vectors cannot be the start of a training\nexpected  a vectors.parquet\nfound     {size}\n"
            f"{WHICH}"
        )
    if size != vector_size:
        raise InputError(
            f"{path}: these vectors cannot be the start of a training\nexpected  training.vector_size = {vector_size}\n"
            f"found     {size} dimensions\nSet training.vector_size={size}, or remove training.warm_start."
        )


def start(words: list[str], config: Training, seed: int, tokenization: Tokenization) -> Start:
    """Return the initial model and the frozen words, deterministic for `seed`.

    Raises InputError if the earlier vectors have another size, or if no frozen word is known.
    """
    rng = generator(seed, "initial vectors")
    facts: dict[str, Any] = {}
    if config.warm_start is None:
        model = initial(len(words), config.vector_size, rng=rng)
        if config.max_n:
            found = parts(words, Grams(config.min_n, config.max_n, config.buckets), config.vector_size)
            model = with_parts(model, found, rng=generator(seed, "initial n-grams"))
            facts["subwords"] = found.subwords.grams._asdict()
    else:
        old_words, old = _earlier(Path(config.warm_start), config.vector_size)
        outputs_are_words = config.objective != "hierarchical_softmax"
        model, inherited = warm(words, old_words, old, outputs_are_words=outputs_are_words, rng=rng)
        facts["warm_start"] = inherited._asdict()
    frozen = np.zeros(len(words), np.bool_)
    if config.frozen:
        vocabulary = pa.chunked_array([words], pa.string())
        listed = chosen(config.frozen, "training.frozen", vocabulary, "the vocabulary", Rules.of(tokenization))
        frozen = pc.is_in(vocabulary, value_set=pa.array(listed.words, pa.string())).to_numpy()
        facts |= {"frozen": int(frozen.sum()), "listed": listed.facts}
    return Start(model, frozen, facts)


def _earlier(path: Path, vector_size: int) -> tuple[list[str], Model]:
    _check_start(path, vector_size)
    table = contracts.read(path, contracts.vectors(vector_size))
    theta = np.stack([tables.matrix(table["input"]), tables.matrix(table["output"])], axis=1)
    return table["word"].to_pylist(), Model(theta)


def _size(path: Path) -> int | str:
    """Return the dimensions of the vectors in the file, or a description of what the file is instead."""
    if path.is_dir():
        return "a folder"
    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid:
        return "a file that is not Parquet, or is damaged"
    kind = schema.field("input").type if "input" in schema.names else pa.null()
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else f"the columns {', '.join(schema.names)}"
