"""fastText's turn, a C++ program: words alone, or subwords where the scenario has max_n. Prints one JSON line.

See side_by_side.py.

It takes no seed: what differs between its runs is the race of its threads.
"""

import json
import sys
import time

import fasttext
import numpy as np

END = "</s>"  # counted by fastText at the end of each line
MODELS = {"skip_gram": "skipgram", "cbow": "cbow"}
LOSSES = {"negative_sampling": "ns", "hierarchical_softmax": "hs"}


def main(text: str, output: str, settings: dict) -> None:
    with open(text) as stream:
        words = sum(len(line.split()) for line in stream) * settings["epochs"]

    def learn(epochs: int) -> tuple[fasttext.FastText._FastText, float]:
        started = time.perf_counter()
        model = fasttext.train_unsupervised(
            text,
            model=MODELS[settings["architecture"]],
            loss=LOSSES[settings["objective"]],
            dim=settings["vector_size"],
            ws=settings["window"],
            minCount=settings["min_count"],
            t=settings["subsample"],
            neg=settings["negatives"],
            lr=settings["learning_rate"],  # falls to 0
            epoch=epochs,
            thread=settings["threads"],
            minn=settings.get("min_n", 0),
            maxn=settings.get("max_n", 0),
            bucket=settings.get("buckets", 0),
            verbose=0,
        )
        return model, time.perf_counter() - started

    _, counting = learn(0)  # without an epoch it counts the words and no more
    model, total = learn(settings["epochs"])
    kept = [word for word in model.get_words() if word != END]
    np.save(output + ".npy", np.array([model.get_word_vector(word) for word in kept], np.float32))
    with open(output + ".txt", "w") as stream:
        stream.write("\n".join(kept))
    print(json.dumps({"words": words, "training_seconds": total - counting, "total_seconds": total}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
