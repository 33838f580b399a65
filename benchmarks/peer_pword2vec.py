"""pWord2Vec's turn, a binary of the user's own (Ji et al. 2016); prints one JSON line. See side_by_side.py.

It has skip-gram with negative sampling only, and no seed.
"""

import json
import subprocess
import sys
import time

import numpy as np

END = "</s>"  # counted at the end of each line
COUNTED = "Words in train file"  # printed when the vocabulary is complete


def main(binary: str, text: str, output: str, settings: dict) -> None:
    with open(text) as stream:
        words = sum(len(line.split()) for line in stream) * settings["epochs"]
    options = {
        "train": text,
        "output": output + ".vec",
        "size": settings["vector_size"],
        "window": settings["window"],
        "negative": settings["negatives"],
        "sample": settings["subsample"],
        "min-count": settings["min_count"],
        "alpha": settings["learning_rate"],
        "iter": settings["epochs"],
        "threads": settings["threads"],
    }
    command = ["stdbuf", "-oL", binary, *(str(each) for name, value in options.items() for each in ("-" + name, value))]
    started = counted = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(COUNTED):
                counted = time.perf_counter()
    if process.returncode:
        sys.exit(f"{binary} failed with exit code {process.returncode}")
    trained = time.perf_counter()

    with open(output + ".vec") as stream:
        next(stream)
        rows = [line.split() for line in stream]
    rows = [row for row in rows if row[0] != END]
    np.save(output + ".npy", np.array([row[1:] for row in rows], np.float32))
    with open(output + ".txt", "w") as stream:
        stream.write("\n".join(row[0] for row in rows))
    print(json.dumps({"words": words, "training_seconds": trained - counted, "total_seconds": trained - started}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
