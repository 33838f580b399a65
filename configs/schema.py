"""The config: what a run is made of, one section per stage, and what cannot change its result.

`ingestion` … `evaluation` bear results: they are part of the stages' keys. The sections from `tracking` on do not:
whatever they say, the same data and code give the same bits on the same kernels, which `runtime.portable` pins.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from configs.addresses import has_secret, shown
from configs.names import Cron, ModelName, Name, Zone
from configs.workspaces import folder

VERSION: Literal[1] = 1  # of the config as runs log it: see logged.py
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
NotNegative = Annotated[int, Field(ge=0, le=10**9)]
Days = Annotated[float, Field(ge=0, le=36_500)]  # a hundred years
Seconds = Annotated[float, Field(gt=0, le=1e8)]  # three years
Text = Annotated[str, Field(min_length=1, max_length=10_000)]  # an empty one is a shell's variable that is not set
Event = Literal["failure", "rejection", "no-learning", "drift", "promotion", "late", "lost"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _without_secret(cls, value: Any) -> Any:
        """A config is logged, stored with deployments, and shown."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and has_secret(text):
                raise ValueError(
                    "expected  an address without a password, token, key or signature: configs are logged\n"
                    f"found     {shown(text)}\n"
                    "Give MLflow's in MLFLOW_TRACKING_URI, and S3's keys in AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY; another text that wants one is to be downloaded first."
                )
        return value

    @model_validator(mode="after")
    def _no_null_character(self) -> Self:
        """No path, and no text of a database, may hold one."""
        for key, value in self:
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and "\0" in text:
                    raise ValueError(f"expected  {key} without a null character\nfound     {text!r:.100}")
        return self


class Ingestion(Section):
    """Where the text comes from, and what counts as one document."""

    source: Text | Annotated[list[Text], Field(min_length=1)] = Field(
        description="A file, folder, glob, http(s) URL or s3://bucket/prefix, or a list of them; `installed-docs` "
        "reads the documentation of installed Python packages."
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Required for a URL: the download's digest.")
    distributions: list[Text] = Field([], description="The packages `installed-docs` reads.")
    text_documents: Literal["file", "line"] = Field("file", description="What is one document in a .txt file.")
    text_column: Text = Field("text", description="The column that holds the text (JSON, CSV, TSV, Parquet, Arrow).")
    id_column: Text | None = Field(None, description="The column that names the document; without it, file and row do.")
    document_length: Annotated[int, Field(ge=1, le=10**8)] = Field(
        100_000, description="Longer documents are cut at white space, in characters; each piece counts as a document."
    )
    duplicates: Literal["keep", "drop"] | None = Field(
        None,
        description="What becomes of a text that was there before. By default whole files and docstrings, which are "
        "copies, are dropped; lines and rows, such as baskets, logs and chats, are kept.",
    )
    max_rejected_fraction: Fraction = Field(
        0.2,
        description="The stage fails if more than this of the documents, or of the characters, is undecodable "
        "or, where `duplicates` says nothing of it, dropped as a duplicate.",
    )
    shard_mb: Annotated[int, Field(ge=1, le=1_024)] = Field(
        2, description="Text in one Parquet shard of documents, in MB."
    )


class Tokenization(Section):
    """What counts as a word."""

    lowercase: bool = True
    digits: Literal["keep", "spell", "drop"] = Field("keep", description="`spell` writes 42 as `four two`.")
    sentences: bool = Field(False, description="One row a sentence: no window crosses a full stop.")
    pattern: Text | None = Field(
        None, description="RE2 expression of one word; by default a run of letters, marks and digits of any script."
    )
    # left out where there is none: keys and logged configs then stay what they were before there was the key
    segmenter: Literal["icu"] | None = Field(
        None,
        exclude_if=lambda segmenter: segmenter is None,
        description="What cuts clauses of Chinese, Japanese, Thai, Khmer, Lao and Burmese into words, by dictionaries: "
        "the extra `segment`.",
    )


class Vocabulary(Section):
    """Which words get a vector."""

    min_count: Count = Field(5, description="Rarer words are left out.")
    max_size: Count | None = Field(None, description="At most this many words, the most frequent ones.")
    fixed: Text | None = Field(None, description="A file with one word a line; replaces min_count and max_size.")
    subsample: Annotated[float, Field(ge=0, lt=1)] = Field(
        1e-3, description="Words more frequent than this share of the corpus are thinned out; 0 keeps all."
    )


class Windows(Section):
    """What is a context."""

    window: Annotated[int, Field(ge=1, le=255)] = Field(5, description="The largest radius m, in words.")
    shard_rows: Annotated[int, Field(ge=1, le=10**8)] = Field(
        250_000, description="Windows in one Parquet shard, up to a whole document more."
    )
    held_out_fraction: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.005, description="Share of the documents kept from training, to measure J(θ)."
    )
    held_out_windows: Annotated[int, Field(ge=1, le=10**6)] = Field(
        2_000, description="At most this many of their windows are judged."
    )


class Training(Section):
    """How the vectors are learnt."""

    architecture: Literal["skip_gram", "cbow"] = "skip_gram"
    objective: Literal["negative_sampling", "softmax", "hierarchical_softmax"] = "negative_sampling"
    vector_size: Annotated[int, Field(ge=1, le=10_000)] = Field(100, description="Dimensions D of a vector.")
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    batch_size: Annotated[int, Field(ge=1, le=10**6)] | Literal["full"] = Field(
        1024, description='Windows in a mini-batch; 1 is stochastic gradient descent, "full" is gradient descent.'
    )
    learning_rate: Annotated[float, Field(gt=0, le=1e30)] = Field(
        0.025,
        description="At its highest. Hierarchical softmax wants about twice as much, CBOW three times.",
    )
    min_learning_rate: Annotated[float, Field(ge=0, le=1e30)] = 1e-4
    schedule: Literal["linear", "constant", "cosine"] = "linear"
    warmup: Fraction = Field(0.0, description="Share of the training during which the rate rises from its floor.")
    negatives: Annotated[int, Field(ge=1, le=1_000)] = Field(
        5, description="Noise words weighed against each true pair."
    )
    noise_exponent: Annotated[float, Field(ge=0, le=2)] = 0.75
    shared_negatives: Annotated[int, Field(ge=0, le=10_000)] = Field(
        32, description="Noise words drawn once per block and shared by its windows; 0 draws them for each pair."
    )
    block_length: Annotated[int, Field(ge=1, le=10_000)] = Field(
        32, description="Consecutive windows that share their noise words."
    )
    damping: Annotated[float, Field(gt=0, le=1e30)] = Field(
        2.0, description="A row moves in a batch by at most this many times the mean of its pairs' gradients."
    )
    warm_start: Text | None = Field(
        None,
        description="What to start from, where a vector follows its word: a vectors.parquet of an earlier training, "
        "`champion` (if there is one by then) or `last` (of this workspace).",
    )
    frozen: Text | None = Field(None, description="A file with one word a line, whose vectors stay as they start.")
    combination: Literal["mean", "sum"] = Field("mean", description="How CBOW joins the vectors of a context.")
    # left out where it changes nothing: whatever is made of the section then stays what it was before there was the key
    keep_epochs: Annotated[int, Field(ge=1, le=100)] = Field(
        1,
        exclude_if=lambda count: count == 1,
        description="The vectors at the end of the last so many epochs are kept, judged and logged; 1 keeps the final "
        "ones alone.",
    )

    @model_validator(mode="after")
    def _rates_in_order(self) -> "Training":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError(f"min_learning_rate {self.min_learning_rate} is above learning_rate {self.learning_rate}")
        return self


class Evaluation(Section):
    """What the vectors are judged by."""

    similarity: list[Text] = Field([], description="Files of `word word score`, separated by tabs or commas.")
    analogies: list[Text] = Field([], description="Files in the questions-words format.")
    domain: list[Text] = Field(
        [],
        description="TOML or CSV files of your own: pairs closer than others, analogies, categories; "
        "docs/how-to/own-text.md describes them.",
    )
    analogy_candidates: Count | None = Field(30_000, description="Answers are sought among the first N words.")
    probes: list[Text] = Field([], description="Words whose neighbours are shown; by default some frequent ones.")
    bootstrap: Annotated[int, Field(ge=1, le=10**6)] = Field(1_000, description="Resamples behind each 95% interval.")


class Tracking(Section):
    """Where MLflow is."""

    # of a schema, Prefect takes every key named `required` away, also this section's: so more than is left is allowed
    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("additionalProperties"))

    uri: Text | None = Field(None, description="By default MLFLOW_TRACKING_URI, else SQLite inside the workspace.")
    required: bool = Field(
        True,
        description="Whether a run needs MLflow; else it does without while MLflow is away, and waits for `w2v sync`.",
    )
    patience: Annotated[float, Field(ge=0, le=1e8)] = Field(
        300.0, description="Seconds that the end of a run waits for an MLflow that went away."
    )
    experiment: Name = "word2vec"
    registered_model: ModelName = "vectors"


class Promotion(Section):
    """When a retrained model takes the champion's place (the rule in full: tasks/promotion/rule.py)."""

    automatic: bool = Field(True, description="Decide at the end of each retraining; else only `w2v promote` does.")
    gates: list[Text] = Field(
        [], description="Scores that decide, such as `similarity/wordsim353`; by default all that the champion has."
    )
    margin: Fraction = Field(0.05, description="How much worse a gate may be, at the low end of the 95% interval.")
    min_coverage: Fraction = Field(0.9, description="Share of the champion's items that must still be known.")
    max_drift: Fraction = Field(
        0.3, description="How far the space may move: 1 − mean cosine of the frequent words both know, after alignment."
    )
    max_cosine: Fraction = Field(
        0.8, description="Vectors have collapsed if the mean cosine of two frequent words is this or more."
    )
    min_gain: Fraction = Field(
        1e-4, description="By how much J(θ) on held-out windows has to be below that before the training, as a share."
    )
    floors: dict[Text, float] = Field(
        {}, description='Scores below which no version becomes champion, such as {"similarity/wordsim353" = 0.3}.'
    )
    align: bool = Field(
        False, description="Register the vectors turned to the champion's axes, for what is indexed by these."
    )


class Schedule(Section):
    """When the deployed retraining runs by itself (what else is deployed, and how: prefect.yaml)."""

    cron: Cron = Field("0 3 * * *", description="Minute, hour, day of the month, month, day of the week.")
    timezone: Zone = Field("UTC", description="Whose hours these are, such as `Europe/Berlin`.")
    active: bool = Field(True, description="Else it runs when asked to.")


class Runtime(Section):
    """How the work is done; none of it changes a result but `portable`, by the kernels that are part of the keys."""

    workspace: Annotated[Text, AfterValidator(lambda text: str(folder(text)))] = Field(
        "workspace", description="Folder of the store, the tracking database and Prefect's files."
    )
    threads: Annotated[int, Field(ge=0, le=1_024)] = Field(0, description="0 uses every core.")
    training_threads: Annotated[int, Field(ge=1, le=256)] = Field(
        2, description="Of the training itself, which makes use of two."
    )
    portable: bool = Field(
        False, description="The same bits on every x86-64 CPU with AVX2: pins the kernels of BLAS and NumPy."
    )
    log_interval: Seconds = Field(1.0, description="Seconds between two points of a curve.")
    checkpoint_interval: Seconds = Field(60.0, description="Seconds between two checkpoints.")
    lost_after: Seconds = Field(
        600.0, description="Seconds without a heartbeat after which `w2v reconcile` closes a run; 20 beats."
    )


class Notify(Section):
    """Who is told what, when nobody looks."""

    webhook: str = Field(
        "W2V_WEBHOOK",
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable with the address of a webhook: a secret, so never itself here.",
    )
    block: Text | None = Field(
        None,
        description="A notification block of Prefect's, `type/name`: e-mail, Slack and others (docs/how-to/notify.md).",
    )
    on: list[Event] = Field(
        ["failure", "rejection", "no-learning", "drift", "promotion", "late", "lost"], description="What is told."
    )
    late_after: Seconds = Field(
        900.0, description="Seconds after its time at which a scheduled run that has not started is late."
    )


class Retention(Section):
    """What `w2v retain` keeps of the past, beside what is always kept (tasks/maintenance/garbage.py)."""

    outputs_last: NotNegative = Field(5, description="Stage outputs that the last so many runs use.")
    outputs_days: Days = Field(30.0, description="And those of runs that ended within so many days.")
    runs_last: NotNegative = Field(50, description="The last so many MLflow runs.")
    runs_days: Days = Field(90.0, description="And MLflow runs that ended within so many days.")
    trash_days: Days = Field(
        7.0, description="How long MLflow holds a deleted run, which `mlflow runs restore` brings back, and its files."
    )
    flow_runs_days: Days = Field(90.0, description="Prefect's flow runs that ended within so many days.")


class Config(Section):
    """One experiment."""

    version: Literal[1] = VERSION
    name: Name = Field("retraining", description="What runs of this experiment are called.")
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
