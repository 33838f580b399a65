"""Make a workspace with the product of an earlier commit: two runs of one model, both of them promoted in turn.

python -m tests.support.old_workspace W2V TARGET.tar.xz     (W2V: the command in that commit's environment)

`tests/golden/workspace-9a83ac7.tar.xz` is of the last commit before modules moved into packages.
"""

import random
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

TOPICS = [[f"{topic}{letter}" for letter in "abcdefgh"] for topic in ("sea", "sky", "sun")]
SETTINGS = [
    "ingestion.text_documents=line", "vocabulary.min_count=1", "vocabulary.subsample=0.0", "training.vector_size=8",
    "training.epochs=3", "training.batch_size=32", "training.damping=0.5", "evaluation.similarity=['pairs.tsv']",
    "evaluation.probes=['seaa']", "promotion.max_cosine=1.0",
]  # fmt: skip


def make(w2v: str, target: Path) -> None:
    """Retrain twice in an empty folder, on texts of 90 and 120 lines, and pack the folder."""
    rng = random.Random(0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for text, lines in {"topics.txt": 90, "more.txt": 120}.items():
            written = [" ".join(rng.choices(TOPICS[line % 3], k=40)) for line in range(lines)]
            (folder / text).write_text("\n".join(written) + "\n")
        pairs = [(a, b) for a in TOPICS[0] + TOPICS[1] for b in TOPICS[1] + TOPICS[2] if a < b]
        told = [f"{a}\t{b}\t{9 if a[:3] == b[:3] else 1}" for a, b in pairs]
        (folder / "pairs.tsv").write_text("\n".join(told) + "\n")
        for text in ("topics.txt", "more.txt"):
            chosen = [word for setting in (f"ingestion.source={text}", *SETTINGS) for word in ("--set", setting)]
            subprocess.run([w2v, "retrain", *chosen], cwd=folder, check=True)
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(folder / "workspace", "workspace")


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]).absolute())
