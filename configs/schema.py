"""The schema of a config: one section for each stage, and sections that cannot change the result.

`ingestion` … `evaluation` determine the result and are part of the stages' keys. The sections from `tracking` on do
not: the same data and code give the same bits on the same kernels, which `runtime.portable` pins.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from configs.addresses import has_secret, shown
from configs.names import Cron, ModelName, Name, Zone
from configs.workspaces import folder

VERSION: Literal[1] = 1  # of the config that a run logs: see migrations.py
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
NotNegative = Annotated[int, Field(ge=0, le=10**9)]
Days = Annotated[float, Field(ge=0, le=36_500)]  # a hundred years
Seconds = Annotated[float, Field(gt=0, le=1e8)]  # three years
Text = Annotated[str, Field(min_length=1, max_length=10_000)]  # an empty text is often an unset shell variable
Event = Literal["failure", "rejection", "no-learning", "drift", "promotion", "late", "lost"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _without_secret(cls, value: Any) -> Any:
        """Refuse secrets, since a config is logged, stored with deployments and shown."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and has_secret(text):
                raise ValueError(
                    "expected  an address without a password, token, key or signature: configs are logged\n"
                    f"found     {shown(text)}\n"
                    "Set MLflow's in MLFLOW_TRACKING_URI, and S3's keys in AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY. Download any other text that needs one yourself."
                )
        return value

    @model_validator(mode="after")
    def _no_null_character(self) -> Self:
        """Refuse null characters, which neither paths nor databases accept."""
        for key, value in self:
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and "\0" in text:
                    raise ValueError(f"expected  {key} without a null character\nfound     {text!r:.100}")
        return self


class Ingestion(Section):
    """The source of the text, and what counts as one document."""

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
    text_column: Text = Field("text", description="The column that holds the text (JSON, CSV, TSV, Parquet, Arrow).")
    id_column: Text | None = Field(
        None, description="The column that names the document; by default its file and row name it."
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

    lowercase: bool = True
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

    window: Annotated[int, Field(ge=1, le=255)] = Field(5, description="The largest radius m, in words.")
    shard_rows: Annotated[int, Field(ge=1, le=10**8)] = Field(
        250_000, description="The number of windows in one Parquet shard; it ends with a whole document."
    )
    held_out_fraction: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.005, description="The share of documents held out from training, to measure J(θ)."
    )
    held_out_windows: Annotated[int, Field(ge=1, le=10**6)] = Field(
        2_000, description="The largest number of held-out windows that are evaluated."
    )


class Training(Section):
    """The training of the vectors."""

    architecture: Literal["skip_gram", "cbow"] = "skip_gram"
    objective: Literal["negative_sampling", "softmax", "hierarchical_softmax"] = "negative_sampling"
    vector_size: Annotated[int, Field(ge=1, le=10_000)] = Field(100, description="The dimension D of a vector.")
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    batch_size: Annotated[int, Field(ge=1, le=10**6)] | Literal["full"] = Field(
        1024, description='Windows in a mini-batch; 1 is stochastic gradient descent, "full" is gradient descent.'
    )
    learning_rate: Annotated[float, Field(gt=0, le=1e30)] = Field(
        0.025,
        description="The highest learning rate. Hierarchical softmax needs about twice the default, CBOW three times.",
    )
    min_learning_rate: Annotated[float, Field(ge=0, le=1e30)] = 1e-4
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    warmup: Fraction = Field(
        0.0, description="The share of the training during which the rate rises from min_learning_rate."
    )
    negatives: Annotated[int, Field(ge=1, le=1_000)] = Field(5, description="The number of noise words for each pair.")
    noise_exponent: Annotated[float, Field(ge=0, le=2)] = 0.75
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

    @model_validator(mode="after")
    def _rates_in_order(self) -> "Training":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(f"min_learning_rate {self.min_learning_rate} is above learning_rate {self.learning_rate}")
        return self


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


class Tracking(Section):
    """The connection to MLflow."""

    # Prefect removes every key named `required` from a schema, this section's too: so its schema allows unknown keys
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("additionalProperties"))

    uri: Text | None = Field(
        None, description="The address of MLflow; by default MLFLOW_TRACKING_URI, else SQLite in the workspace."
    )
    required: bool = Field(
        True,
        description="Whether a run fails if MLflow cannot be reached; if false, its result is kept for `w2v sync`.",
    )
    patience: Annotated[float, Field(ge=0, le=1e8)] = Field(
        300.0, description="Seconds that a run waits at its end if MLflow cannot be reached."
    )
    experiment: Name = "word2vec"
    registered_model: ModelName = "vectors"


class Promotion(Section):
    """The rule by which a retrained model replaces the champion (docs/how-to/promote.md)."""

    automatic: bool = Field(
        True, description="Decide at the end of each retraining; if false, only `w2v promote` decides."
    )
    gates: list[Text] = Field(
        [], description="The scores that decide, such as `similarity/wordsim353`; by default all that the champion has."
    )
    margin: Fraction = Field(
        0.05, description="How much worse than the champion a gate may be, at the low end of the 95% interval."
    )
    min_coverage: Fraction = Field(
        0.9, description="The smallest share of the champion's evaluation items that the new version must cover."
    )
    max_drift: Fraction = Field(
        0.3,
        description="The largest drift: 1 − mean cosine of the frequent words of both models, after alignment.",
    )
    max_cosine: Fraction = Field(
        0.8, description="Vectors count as collapsed if the mean cosine of two frequent words is at least this."
    )
    min_gain: Fraction = Field(
        1e-4, description="The fraction by which the training must at least lower J(θ) on held-out windows."
    )
    floors: dict[Text, float] = Field(
        {}, description='The lowest scores of any champion, such as {"similarity/wordsim353" = 0.3}.'
    )
    align: bool = Field(
        False, description="Register the vectors rotated to the champion's axes, for indexes that were built with it."
    )


class Schedule(Section):
    """The schedule of the deployed retraining (prefect.yaml has the other deployments)."""

    cron: Cron = Field("0 3 * * *", description="Minute, hour, day of the month, month, day of the week.")
    timezone: Zone = Field("UTC", description="The time zone of these hours, such as `Europe/Berlin`.")
    active: bool = Field(True, description="If false, the deployed flows run only when they are started by hand.")


class Runtime(Section):
    """Where and how the work is done; only `portable` can change results, and it changes the keys too."""

    workspace: Annotated[Text, AfterValidator(lambda text: str(folder(text)))] = Field(
        "workspace", description="The folder of the store, the tracking database and Prefect's files."
    )
    threads: Annotated[int, Field(ge=0, le=1_024)] = Field(
        0, description="The number of threads of the stages other than training; 0 uses every core."
    )
    training_threads: Annotated[int, Field(ge=1, le=256)] = Field(
        2, description="The number of threads of the training; more than two do not make it faster."
    )
    portable: bool = Field(
        False,
        description="Pin the kernels of BLAS and NumPy, for identical bits on every x86-64 CPU with AVX2.",
    )
    log_interval: Seconds = Field(1.0, description="Seconds between two points of the training curve.")
    checkpoint_interval: Seconds = Field(60.0, description="Seconds between two checkpoints.")
    lost_after: Seconds = Field(
        600.0, description="Seconds without a heartbeat after which `w2v reconcile` closes a run (20 heartbeats)."
    )


class Notify(Section):
    """Notifications: which events are sent, and where."""

    webhook: str = Field(
        "W2V_WEBHOOK",
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds a webhook's address, which is a secret.",
    )
    block: Text | None = Field(
        None,
        description="A notification block of Prefect, `type/name`: e-mail, Slack and others (docs/how-to/notify.md).",
    )
    on: list[Event] = Field(
        ["failure", "rejection", "no-learning", "drift", "promotion", "late", "lost"],
        description="The events to notify about.",
    )
    late_after: Seconds = Field(
        900.0, description="Seconds after its scheduled time at which a run that has not started is late."
    )


class Retention(Section):
    """What `w2v retain` keeps, in addition to what is always kept (`w2v retain --help`)."""

    outputs_last: NotNegative = Field(5, description="Stage outputs are kept for this many last runs.")
    outputs_days: Days = Field(30.0, description="Stage outputs are kept for runs that ended within this many days.")
    runs_last: NotNegative = Field(50, description="This many last MLflow runs are kept.")
    runs_days: Days = Field(90.0, description="MLflow runs that ended within this many days are kept.")
    trash_days: Days = Field(
        7.0, description="Days until a deleted MLflow run is purged; until then `mlflow runs restore` restores it."
    )
    flow_runs_days: Days = Field(90.0, description="Prefect's flow runs that ended within this many days are kept.")


class Config(Section):
    """One experiment."""

    version: Literal[1] = VERSION
    name: Name = Field("retraining", description="The name of this experiment's runs.")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    ingestion: Ingestion
    tokenization: Tokenization = Tokenization()
    vocabulary: Vocabulary = Vocabulary()
    windows: Windows = Windows()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()
    promotion: Promotion = Promotion()
    schedule: Schedule = Schedule()
    runtime: Runtime = Runtime()
    notify: Notify = Notify()
    retention: Retention = Retention()
