"""What the generated reference says and the code does not: introductions and columns."""

from typing import Any

from flows.cli.output import shapes
from flows.query import listing
from flows.service import status

CLI = """
After the first `make`, `.venv/bin/w2v` is the command. RUN is the id of an MLflow run, its first six characters or
more, or `champion`: the champion of the only registered model; if there are several, `MODEL@champion`.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | the work failed, or a check found something: a difference, a version kept back, a part that is down |
| 2 | wrong use: an unknown option, a config that is not valid |
| 130 | interrupted; the same command continues |

Answers go to standard output, everything else to standard error: progress, warnings, whose vectors answer. `--json`
prints what a program can read: [its shapes](json.md). Every error is one message that says what to do:
[Fix an error](../how-to/fix-errors.md). Colours are used in a terminal alone, and not if `NO_COLOR` is set.

`w2v --install-completion` lets bash, zsh or fish complete commands, options, keys of `--set`, runs and words.
"""
JSON = """
Each command with `--json` prints one JSON value to standard output. Fields are added, but not renamed or removed,
within a version. In a path, `[]` stands for each item of a list and `.*` for each key of an object. Names of metrics
and parameters are those [in MLflow](metrics-and-tags.md). An error is not JSON: it goes to standard error, and the exit
code is not 0.
"""
SHAPES: dict[str, tuple[str, Any]] = {
    "runs": ("A list, newest first; each item has these fields.", listing.RunRow),
    "show": ("The fields of `w2v runs`, and more.", listing.RunDetails),
    "neighbors": ("", shapes.Neighbors),
    "analogy": ("", shapes.Analogy),
    "plan": ("", shapes.Plan),
    "compare": ("", shapes.Comparison),
    "trace": ("", shapes.Trace),
    "history": ("", shapes.History),
    "status": ("", status.Status),
    "doctor": ("", shapes.Checked),
}
FIELDS = {
    "run": "The MLflow run.",
    "name": "Its name.",
    "value": "The score.",
    "word": "The word.",
    "cosine": "The cosine similarity.",
    "scores": "Of all runs.",
    "findings": "One for each check.",
    "good": "Whether it is as it should be.",
    "subject": "What was checked.",
    "finding": "What was found.",
    "parts": "Prefect's server, MLflow's server, the worker.",
    "page": "Its page.",
}
OPTIONS = {
    "prefect_port": "The port of Prefect's server.",
    "mlflow_port": "The port of MLflow's server.",
    "port": "The port to listen on; 0 takes a free one.",
}

CONFIG = """
A config is a TOML file that says what differs from these defaults; `--set SECTION.KEY=VALUE` changes one value of it.
The top of the file, the data and the sections up to `evaluation` determine the result to the bit. The sections from
`tracking` on cannot change it, except `runtime.portable`. An unknown key, a wrong type or an impossible combination is
an error that names the key, the value, the allowed range and the nearest known key.
"""
DATASETS = """
Stages exchange Parquet files. Each file carries the name and the version of its contract in its metadata; the only
reader and the only writer check it, so a file of another version is refused and never misread.
"""
COLUMNS: dict[str, tuple[str, dict[str, str]]] = {
    "documents": (
        "Written by ingestion, read by tokenization. A row is a document.",
        {"document": "its number in the corpus", "source": "file and row, or its id", "text": "the text, as it was"},
    ),
    "tokens": (
        "Written by tokenization, read by vocabulary and windows. A row is a document, or a sentence of one.",
        {"document": "the document's number in its part", "tokens": "its words, in order"},
    ),
    "counts": (
        "Written by vocabulary, once for each part of the tokens, and read by it. A row is a word of the part, "
        "in the order of the words.",
        {"word": "the word", "count": "its occurrences in the part"},
    ),
    "phrases": (
        "Written by phrases (if `phrases.passes` is set), read to join the tokens. A row is a phrase, by pass, falling "
        "count, then words.",
        {
            "pass": "the pass that found it, from 1",
            "phrase": "the word that it becomes",
            "words": "its words (a phrase of a pass before is one word)",
            "count": "how often they follow each other",
            "score": "by `phrases.scoring`",
        },
    ),
    "vocabulary": (
        "Written by vocabulary, read by windows, training and evaluation. A row is a word; its id is the row number, "
        "by falling count, then by word.",
        {
            "word": "the word",
            "count": "its occurrences in the corpus",
            "keep_probability": "the probability that subsampling keeps an occurrence",
        },
    ),
    "windows": (
        "Written by windows, once per epoch, and once more for the held-out documents; read by training and "
        "evaluation. A row is a window: a kept position, in the order of the corpus. Its context is the rows at most "
        "`radius` away in the same document.",
        {
            "document": "the row of its part of the tokens; in the held-out draw, a number that tells documents apart",
            "center": "the id of the word",
            "radius": "the reach of the context, in words; 0 is context only",
        },
    ),
    "curve": (
        "Written by training. A row is a stretch of training: how far it has come, and its mean loss per pair.",
        {
            "words": "words of the text so far",
            "windows": "windows so far",
            "updates": "mini-batches so far",
            "epoch": "epochs so far, a fraction",
            "loss": "mean loss of the stretch, per pair; of the objective that is trained",
            "learning_rate": "at the end of the stretch",
            "held_out_loss": "J(θ) on held-out windows, at the start and at the end of an epoch; else null",
        },
    ),
    "evaluation": (
        "Written by evaluation, read by promotion and comparison. A row is a judged item in the order of its set: a "
        "pair, an analogy, or a neighbour of a probe word.",
        {
            "judge": "what kind of set: similarity, analogy, session, …",
            "set": "the name of the set",
            "section": "the part of the set",
            "item": "the words of the item",
            "covered": "whether all of them have a vector; an analogy asks only words of the vocabulary",
            "rank": "of the item's rarest word in the vocabulary, from 0, or the number of words if its n-grams alone "
            "are known; null if one is unknown",
            "expected": "the right answer",
            "predicted": "the vectors' answer",
            "right": "whether they are the same",
            "target": "people's score of a pair; of a session, how many items are recommended",
            "score": "the vectors' score; of a session, the position of the item that was chosen, from 1",
        },
    ),
    "vectors": (
        "Written by training; D is `training.vector_size`. A row is a word (with hierarchical softmax, row i of the "
        "output vectors is inner node i).",
        {
            "word": "the word",
            "count": "its occurrences",
            "input": "the vector that is kept and queried",
            "output": "the vector of the word as context",
        },
    ),
    "subwords": (
        "Written by training beside `vectors` (if `training.max_n` is set): the n-grams of which the vector of a word "
        "that was never seen is made. A row is a bucket with an n-gram of the vocabulary, in ascending order.",
        {
            "bucket": "its number, the hash of its n-grams modulo `training.buckets`",
            "vector": "its row, of which a word's vector is the mean",
        },
    ),
}
ABOUT_MANIFEST = """
Written last into the folder of each output: it makes the output exist. See [Store and
keys](../explanation/store-and-keys.md).
"""
MANIFEST = {
    "version": "of this format",
    "stage": "the stage that wrote it",
    "key": "the digest of `inputs`, which is the folder's name",
    "inputs": "everything that the key is made of: digests of inputs and code, the section, the seed",
    "files": "name, digest, bytes and rows of each file",
    "parts": "outputs of the same stage that this one consists of, shared with others",
    "account": "what was read, what was written, and what was left out for which reason; the sums balance",
    "facts": "small figures for later stages and for people",
}

RUNS = """
What each run holds in MLflow. A name in capitals stands for any: of a set of `[evaluation]`, of a score, a time. A test
trains a run and checks that every name it has is on this page.
"""
PARAMETERS = """
`section.key` of everything that determines the result. What later commands read:
"""

ERRORS = """
An error of this program has four parts: the place, what was expected, what was found, and the next step. Programs
that call the flows catch these classes. What each message means: [Fix an error](../how-to/fix-errors.md).
"""
CLASSES = {
    "InputError": "The text, a word list or an evaluation set is not what the config says.",
    "UnknownWord": "A query contains words without a vector.",
    "MissingColumn": "A table lacks a column that the config names.",
    "ContractError": "A dataset does not match its contract, or is damaged.",
    "StoreError": "The store cannot be read or written.",
    "RemoteError": "The store that machines share cannot be reached, or refuses.",
    "EngineError": "A worker cannot run a call, or refuses it, or the engine that runs the workers is lost.",
    "DeterminismError": "The same work gave two results, on one host or on two.",
    "TrainingError": "The training diverged.",
    "TrackingError": "MLflow does not know the run, or refuses the request.",
    "Unreachable": "MLflow does not answer, and may do so later.",
    "ConfigError": "The config or a `--set` is wrong; exit code 2.",
}
