"""gensim's turn: runs in the peers' own environment and prints one JSON line. See side_by_side.py."""

import json
import sys
import time

import numpy as np
from gensim.models import Word2Vec
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
    )
    sentences = LineSentence(text)
    model.build_vocab(sentences)
    counted = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    trained = time.perf_counter()
    np.save(output + ".npy", model.wv.vectors)
    with open(output + ".txt", "w") as stream:
        stream.write("\n".join(model.wv.index_to_key))
    words = model.corpus_total_words * settings["epochs"]
    print(json.dumps({"words": words, "training_seconds": trained - counted, "total_seconds": trained - started}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
