"""The sections that determine the result, one for each stage: they are part of the stages' keys."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from configs import subwords
from configs.section import Count, Fraction, NotNegative, Section, Text

REPLICATION = frozenset({"replicas", "meetings", "solo_windows"})  # keys of [training] that one model does not use


TEXT: Any = {"exclude_if": lambda value: value in (None, "text")}  # so text has the keys and digests it always had


class Ingestion(Section):
    """The source of the text, and what counts as one document."""

    kind: Literal["text", "items"] = Field(
        "text", description="What a document holds; follows from tokenization.kind, which is the one to set.", **TEXT
    )

    source: Text | Annotated[list[Text], Field(min_length=1)] = Field(
        description="A file, folder, glob, http(s) URL or s3://bucket/prefix, or a list of them; `installed-docs` "
        "reads the documentation of installed Python packages."
    )
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="The SHA-256 digest of the download; required for a URL."
    )
    distributions: list[Text] = Field([], description="The packages that `installed-docs` reads.")
    text_documents: Literal["file", "line"] = Field(
        "file", description="Whether a .txt file is one document, or each of its lines."
    )
    text_column: Text = Field(
        "text", description="The column that holds the text (JSON, CSV, TSV, Parquet, Arrow), or the ids of items."
    )
    id_column: Text | None = Field(
        None, description="The column that names the document; by default its file and row name it."
    )
    session_column: Text | None = Field(
        None, description="Items: the column that names the session, if a row is one event of it, not all.", **TEXT
    )
    time_column: Text | None = Field(
        None,
        description="Items: the column with the time of an event, which orders each session and all of them.",
        **TEXT,
    )
    separator: Text | None = Field(
        None, description="Items: what stands between the ids of a line or text; by default any white space.", **TEXT
    )
    document_length: Annotated[int, Field(ge=1, le=10**8)] = Field(
        100_000, description="In characters. Longer documents are cut at white space; each piece is a document."
    )
    duplicates: Literal["keep", "drop"] | None = Field(
        None,
        description="Whether to keep or drop a text that occurred before. By default repeated files and docstrings, "
        "which are copies, are dropped; repeated lines and rows, such as baskets, logs and chats, are kept.",
    )
    max_rejected_fraction: Fraction = Field(
        0.2,
        description="The stage fails if more than this fraction of the documents, or of the characters, cannot be "
        "decoded or is dropped as a duplicate (duplicates count only if `duplicates` is not set).",
    )
    shard_mb: Annotated[int, Field(ge=1, le=1_024)] = Field(
        2, description="The size of one Parquet shard of documents, in MB of text."
    )


class Tokenization(Section):
    """What counts as a word."""

    kind: Literal["text", "items"] = Field(
        "text",
        description="`items` takes ids of products, songs or pages as they are: sessions, baskets, lists "
        "(docs/how-to/items.md).",
        **TEXT,
    )
    lowercase: bool = Field(True, description="Whether words are lowered.")
    digits: Literal["keep", "spell", "drop"] = Field("keep", description="`spell` writes 42 as `four two`.")
    sentences: bool = Field(False, description="Split documents into sentences: no window crosses a full stop.")
    pattern: Text | None = Field(
        None,
        description="An RE2 expression for one word; by default a sequence of letters, marks and digits of any script.",
    )
    # excluded if it is None: so keys and logged configs are the same as before this key existed
    segmenter: Literal["icu"] | None = Field(
        None,
        exclude_if=lambda segmenter: segmenter is None,
        description="Cuts Chinese, Japanese, Thai, Khmer, Lao and Burmese into words with dictionaries; needs the "
        "extra `segment`.",
    )


class Phrases(Section):
    """Words that belong together and become one word, such as `new_york`."""

    passes: Annotated[int, Field(ge=0, le=5)] = Field(
        0, description="0 leaves words as they are; 1 finds phrases of two words, 2 also phrases of these, and so on."
    )
    scoring: Literal["word2phrase", "npmi"] = Field(
        "word2phrase",
        description="The score of a pair: word2phrase's, or normalised pointwise mutual information (−1 … 1).",
    )
    threshold: Annotated[float, Field(ge=-1, le=1e9)] = Field(
        100.0, description="Pairs that score more are phrases. For `npmi`, try 0.5."
    )
    min_count: Count = Field(5, description="Pairs that occur less often are no phrases.")
    connectors: list[Text] = Field(
        [], description="Words that may stand inside a phrase but not at its ends, such as `of`, at most four in a row."
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.scoring == "npmi" and self.threshold >= 1:
            raise ValueError(
                "expected  a threshold below 1, the highest score of npmi, such as 0.5\n"
                f"found     {self.threshold:g}\nSet phrases.threshold too."
            )
        return self


class Vocabulary(Section):
    """The words that get a vector."""

    min_count: Count = Field(5, description="Words that occur less often are left out.")
    max_size: Count | None = Field(None, description="The largest number of words; the most frequent ones are kept.")
    fixed: Text | None = Field(None, description="A file with one word a line; replaces min_count and max_size.")
    subsample: Annotated[float, Field(ge=0, lt=1)] = Field(
        1e-3, description="Occurrences of words above this share of the corpus are randomly dropped; 0 keeps all."
    )


class Windows(Section):
    """The context windows."""

    window: Annotated[int, Field(ge=1, le=255)] | Literal["document"] = Field(
        5, description='The largest radius m, in words; "document" has every word meet every other of its document.'
    )
    # excluded at their defaults: so keys, digests and logged configs are the same as before these keys existed
    shrink: bool = Field(
        True,
        exclude_if=lambda shrink: shrink,
        description="Draw each radius from 1 to m, so that near words count more; if false, each is m.",
    )
    bound: Annotated[int, Field(ge=1, le=255)] = Field(
        20,
        exclude_if=lambda bound: bound == 20,
        description='With window = "document": a word of a longer document meets at most twice as many others, drawn '
        "again in each epoch.",
    )
    held_out: Literal["random", "last"] = Field(
        "random",
        exclude_if=lambda which: which == "random",
        description="Which documents are held out: a random choice, or the last ones, which are the newest if "
        "ingestion.time_column orders them.",
    )
    shard_rows: Annotated[int, Field(ge=1, le=10**8)] = Field(
        250_000, description="The number of windows in one Parquet shard; it ends with a whole document."
    )
    held_out_fraction: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.005, description="The share of documents held out from training, to measure J(θ)."
    )
    held_out_windows: Annotated[int, Field(ge=1, le=10**6)] = Field(
        2_000, description="The largest number of held-out windows that are evaluated."
    )

    @model_validator(mode="after")
    def _all_apply(self) -> Self:
        whole = self.window == "document"
        if whole and not self.shrink:
            raise ValueError('expected  a number as window, for shrink\nfound     "document"\nRemove windows.shrink.')
        if not whole and self.bound != Windows.model_fields["bound"].default:
            raise ValueError(
                f'expected  window = "document", for bound\nfound     {self.window}\n'
                "Set windows.window too, or remove windows.bound."
            )
        return self


class Training(Section):
    """The training of the vectors."""

    architecture: Literal["skip_gram", "cbow"] = Field(
        "skip_gram",
        description="Skip-gram predicts the context from the center, CBOW the center from the context.",
    )
    objective: Literal["negative_sampling", "softmax", "hierarchical_softmax"] = Field(
        "negative_sampling", description="What is minimised (docs/explanation/theory.md)."
    )
    vector_size: Annotated[int, Field(ge=1, le=10_000)] = Field(100, description="The dimension D of a vector.")
    epochs: Annotated[int, Field(ge=1, le=10_000)] = Field(
        5, description="How often the training goes through the corpus, each time with new windows."
    )
    batch_size: Annotated[int, Field(ge=1, le=10**6)] | Literal["full"] = Field(
        1024, description='Windows in a mini-batch; 1 is stochastic gradient descent, "full" is gradient descent.'
    )
    learning_rate: Annotated[float, Field(gt=0, le=1e30)] = Field(
        0.025,
        description="The highest learning rate. Hierarchical softmax needs about twice the default, CBOW three times.",
    )
    min_learning_rate: Annotated[float, Field(ge=0, le=1e30)] = Field(
        1e-4, description="The learning rate at its lowest."
    )
    schedule: Literal["linear", "constant", "cosine"] = Field("linear", description="How the learning rate falls.")
    warmup: Fraction = Field(
        0.0, description="The share of the training during which the rate rises from min_learning_rate."
    )
    negatives: Annotated[int, Field(ge=1, le=1_000)] = Field(5, description="The number of noise words for each pair.")
    noise_exponent: Annotated[float, Field(ge=-1, le=2)] = Field(
        0.75, description="Noise words are drawn by count to this power: 0 all alike, below 0 rare ones more often."
    )
    shared_negatives: Annotated[int, Field(ge=0, le=10_000)] = Field(
        32, description="Noise words that are drawn once per block and shared by its windows; 0 draws for each pair."
    )
    block_length: Annotated[int, Field(ge=1, le=10_000)] = Field(
        32, description="Consecutive windows that share their noise words."
    )
    damping: Annotated[float, Field(gt=0, le=1e30)] = Field(
        2.0, description="Limits a row's step in a batch to this many times the mean gradient of its pairs."
    )
    warm_start: Text | None = Field(
        None,
        description="The initial vectors, matched by word: the path of a vectors.parquet, `champion` (random if there "
        "is none yet) or `last` (the last training in this workspace).",
    )
    frozen: Text | None = Field(
        None, description="A file with one word a line; the vectors of these words are not changed by the training."
    )
    combination: Literal["mean", "sum"] = Field("mean", description="How CBOW combines the vectors of a context.")
    # excluded at its default: so keys, digests and logged configs are the same as before this key existed
    keep_epochs: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        exclude_if=lambda count: count == 1,
        description="The number of last epochs whose vectors are kept, evaluated and logged; 1 keeps only the final "
        "vectors.",
    )

    # left out while max_n is 0, as below
    max_n: Annotated[int, Field(ge=0, le=20)] = Field(
        0,
        description="Subwords as in fastText: a word's vector is the mean of its own row and of those of its character "
        "n-grams up to this length, such as 6, so that words never seen have vectors too; 0 leaves words whole.",
    )
    min_n: Annotated[int, Field(ge=1, le=20)] = Field(
        3, description="Subwords: the shortest n-grams, in code points; < and > at the ends of a word count."
    )
    buckets: Annotated[int, Field(ge=1, le=10**8)] = Field(
        200_000,
        description="Subwords: how many rows all n-grams share by their hash. Each takes 4 · vector_size bytes; "
        "fastText has 2,000,000.",
    )

    replicas: Annotated[int, Field(ge=1, le=1_024)] = Field(
        1,
        description="Models that learn apart, each from its own part of the text, and are combined at every meeting; "
        "they can use as many processes (docs/explanation/training-on-many.md).",
    )
    meetings: Annotated[int, Field(ge=1, le=10**6)] = Field(
        100, description="How often the replicas are combined during the training; fewer than 50 cost quality."
    )
    solo_windows: NotNegative = Field(
        1_000_000, description="The windows from which a single model learns before there are replicas of it."
    )

    @model_serializer(mode="wrap")
    def _without_idle(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only replicas or only subwords use, for the same reason as above."""
        idle = {*(REPLICATION if self.replicas == 1 else ()), *(subwords.SUBWORDS if self.max_n == 0 else ())}
        return {key: value for key, value in dump(self).items() if key not in idle}

    @model_validator(mode="after")
    def _rates_in_order(self) -> "Training":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(f"min_learning_rate {self.min_learning_rate} is above learning_rate {self.learning_rate}")
        return self

    @model_validator(mode="after")
    def _replicas_have_blocks(self) -> "Training":
        if self.replicas > 1 and (obstacle := self._obstacle()):
            raise ValueError(
                "expected  replicas = 1, or a training on blocks of windows: batch_size of at least block_length, and "
                "negative sampling with shared_negatives, or skip-gram with hierarchical softmax\n"
                f"found     replicas = {self.replicas} with {obstacle}\nChange one of them."
            )
        return self

    @model_validator(mode="after")
    def _subwords_have_all_they_need(self) -> "Training":
        if said := subwords.contradiction(self, self._obstacle()):
            raise ValueError(said)
        return self

    def _obstacle(self) -> str:
        """Return the setting because of which there are no blocks; "" if there are."""
        tree = self.objective == "hierarchical_softmax"
        obstacles = {
            'batch_size = "full"': self.batch_size == "full",
            f'objective = "{self.objective}"': self.objective == "softmax",
            'architecture = "cbow" and objective = "hierarchical_softmax"': tree and self.architecture == "cbow",
            "shared_negatives = 0": self.objective == "negative_sampling" and not self.shared_negatives,
            f"batch_size = {self.batch_size} and block_length = {self.block_length}": self.batch_size != "full"
            and self.batch_size < self.block_length,
        }
        return next((obstacle for obstacle, there in obstacles.items() if there), "")


class Evaluation(Section):
    """The evaluation of the vectors."""

    similarity: list[Text] = Field([], description="Files with lines `word word score`, separated by tabs or commas.")
    analogies: list[Text] = Field([], description="Files in the questions-words format.")
    domain: list[Text] = Field(
        [],
        description="Your own TOML or CSV files: pairs that should be closer than others, analogies, categories; "
        "docs/how-to/own-text.md describes them.",
    )
    analogy_candidates: Count | None = Field(
        30_000, description="Answers to analogies are searched among this many most frequent words."
    )
    probes: list[Text] = Field([], description="Words whose neighbours are shown; by default some frequent words.")
    bootstrap: Annotated[int, Field(ge=1, le=10**6)] = Field(
        1_000, description="The number of bootstrap resamples for each 95% interval."
    )
    # excluded at its default, as above
    top: Annotated[int, Field(ge=1, le=1_000)] = Field(
        10,
        exclude_if=lambda top: top == 10,
        description="Items: how many are recommended to each held-out session, k of hit rate, recall, MRR and NDCG.",
    )
