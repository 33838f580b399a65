"""The schema of a config: one section for each stage, and sections that cannot change the result.

`ingestion` … `evaluation` (stages.py) determine the result and are part of the stages' keys. The sections from
`tracking` on do not: the same data and code give the same bits on the same kernels, which `runtime.portable` pins.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from configs import items
from configs.names import Cron, ModelName, Name, Zone, model_name
from configs.remotes import address
from configs.section import Days, Fraction, NotNegative, Seconds, Text
from configs.section import Section as Section
from configs.stages import Evaluation as Evaluation
from configs.stages import Ingestion as Ingestion
from configs.stages import Phrases as Phrases
from configs.stages import Tokenization as Tokenization
from configs.stages import Training as Training
from configs.stages import Vocabulary as Vocabulary
from configs.stages import Windows as Windows
from configs.workspaces import folder

NAME = "retraining"  # of a config without one
VERSION: Literal[1] = 1  # of the config that a run logs: see migrations.py
Event = Literal["failure", "rejection", "no-learning", "drift", "promotion", "late", "lost"]


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
    experiment: Name = Field("word2vec", description="The MLflow experiment of the runs.")
    registered_model: ModelName = Field(
        "", description="The model in MLflow's registry that versions are registered of; by default the config's name."
    )


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
    remote: Annotated[str, Field(max_length=1_000), AfterValidator(address)] = Field(
        "",
        description="A store that several machines share, `s3://bucket/prefix`, `gs://bucket/prefix` or "
        "`file:///mnt/folder`; each output is also put there (docs/how-to/share-store.md).",
    )
    threads: Annotated[int, Field(ge=0, le=1_024)] = Field(
        0, description="The number of threads of the stages other than training; 0 uses every core."
    )
    training_threads: Annotated[int, Field(ge=1, le=256)] = Field(
        2, description="The number of threads of the training; more than two do not make it faster."
    )
    engine: Literal["threads", "processes", "dask"] | None = Field(
        None,
        description="What prepares the text, part by part: threads, processes of this machine, or a Dask cluster "
        "(extra `dask`). By default processes if there are more than two cores and at least 8 parts, else threads.",
    )
    workers: Annotated[int, Field(ge=0, le=1_024)] = Field(
        0,
        description="The number of workers: parts of the text that `engine` makes at once (0 stands for `threads`), "
        "and processes that learn replicas (`training.replicas`; 0 uses every core, and 1 lets them learn in turn in "
        "one process).",
    )
    engine_address: Annotated[str, Field(pattern="^((tcp|tls|ucx)://[^/]+)?$")] = Field(
        "", description="The scheduler of a running Dask cluster, such as tcp://host:8786; empty starts one here."
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

    @model_validator(mode="after")
    def _address_of_dask(self) -> Self:
        if self.engine_address and self.engine != "dask":
            raise ValueError(
                f"expected  engine_address only with engine = 'dask'\nfound     engine = {self.engine!r}, "
                f"engine_address = {self.engine_address!r}"
            )
        return self


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

    version: Literal[1] = Field(VERSION, description="Of the config's format.")
    name: Name = Field(NAME, description="The name of this experiment's runs.")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(1, description="All random numbers follow from it.")
    ingestion: Ingestion
    tokenization: Tokenization = Tokenization()
    phrases: Phrases = Field(Phrases(), exclude_if=lambda phrases: phrases == Phrases())  # as segmenter
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

    @model_validator(mode="before")
    @classmethod
    def _of_items(cls, values: Any) -> Any:
        return items.with_defaults(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if said := items.contradiction(self):
            raise ValueError(said)
        return self

    @model_validator(mode="before")
    @classmethod
    def _model_of_its_own(cls, values: Any) -> Any:
        """Name the registered model after the config as it is written; later changes of the name do not change it."""
        if not isinstance(values, dict) or not isinstance(name := values.get("name", NAME), str):
            return values
        tracking = values.get("tracking", {})
        if isinstance(tracking, Tracking) and not tracking.registered_model:
            return {**values, "tracking": tracking.model_copy(update={"registered_model": model_name(name)})}
        if isinstance(tracking, dict) and not tracking.get("registered_model"):
            return {**values, "tracking": {**tracking, "registered_model": model_name(name)}}
        return values
