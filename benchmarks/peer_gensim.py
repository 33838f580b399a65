"""gensim's turn: runs in the peers' own environment and prints one JSON line. See side_by_side.py."""

import json
import random
import sys
import time
from collections.abc import Iterator

import numpy as np
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.word2vec import LineSentence


def main(text: str, output: str, settings: dict) -> None:
    started = time.perf_counter()
    model = Word2Vec(
        vector_size=settings["vector_size"],
        window=settings["window"],
        min_count=settings["min_count"],
        max_final_vocab=settings["max_size"] or None,
        sample=settings["subsample"],
        negative=settings["negatives"] if settings["objective"] == "negative_sampling" else 0,
        hs=int(settings["objective"] == "hierarchical_softmax"),
        sg=int(settings["architecture"] == "skip_gram"),
        alpha=settings["learning_rate"],
        min_alpha=settings["min_learning_rate"],
        epochs=settings["epochs"],
        workers=settings["threads"],
        seed=settings["seed"],
        shrink_windows=settings.get("shrink_windows", True),
    )
    sentences = LineSentence(text)
    model.build_vocab(sentences)
    counted = time.perf_counter()
    if settings.get("shuffle"):
        sentences = Shuffled(sentences, settings["seed"])
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    trained = time.perf_counter()
    np.save(output + ".npy", model.wv.vectors)
    with open(output + ".txt", "w") as stream:
        stream.write("\n".join(model.wv.index_to_key))
    if settings.get("tree") and model.hs:
        save_tree(model.wv, output + ".tree.npz")
    words = model.corpus_total_words * settings["epochs"]
    print(json.dumps({"words": words, "training_seconds": trained - counted, "total_seconds": trained - started}))


class Shuffled:
    """The sentences in random order, another one each epoch."""

    def __init__(self, sentences: LineSentence, seed: int) -> None:
        self.sentences, self.random = list(sentences), random.Random(seed)

    def __iter__(self) -> Iterator[list[str]]:
        self.random.shuffle(self.sentences)
        return iter(self.sentences)


def save_tree(vectors: KeyedVectors, path: str) -> None:
    """The paths of Huffman's tree, as w2v_core/objectives/huffman.py has them."""
    code, node = ([vectors.get_vecattr(word, name) for word in vectors.index_to_key] for name in ("code", "point"))
    start = np.cumsum([0, *map(len, code)])
    np.savez(path, start=start, node=np.concatenate(node).astype(np.intp), code=np.concatenate(code).astype(np.bool_))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
