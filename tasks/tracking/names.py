"""Every name that is written to MLflow or read from it, with its meaning; the page metrics-and-tags.md lists them.

No other module has such a name as a literal, and no value ever changes: runs of older versions carry it. A part in
braces is filled in with `format`: the name of a set, of a score, a time. No stage's key covers this module, so a stage
that wrote a score under another name would not run again: a test keeps the values as they are.
"""

METRICS: dict[str, str] = {}
TAGS: dict[str, str] = {}
PARAMETERS: dict[str, str] = {}
ARTIFACTS: dict[str, str] = {}


def _metric(name: str, meaning: str) -> str:
    METRICS[name] = meaning
    return name


def _tag(name: str, meaning: str) -> str:
    TAGS[name] = meaning
    return name


def _parameter(name: str, meaning: str) -> str:
    PARAMETERS[name] = meaning
    return name


def _folder(name: str, meaning: str) -> str:
    ARTIFACTS[f"{name}/"] = meaning
    return name


def _file(name: str, meaning: str) -> str:
    ARTIFACTS[name] = meaning
    return name


# Metrics. One slash in each name: MLflow shows metrics with the same prefix as one section of charts.
LOSS = _metric("loss/held_out", "J(θ): the mean negative log-likelihood of a held-out window; less is better; a curve")
LOSS_PER_PAIR = _metric("loss/held_out_per_pair", "the same per (center, context) pair")
TRAINING_LOSS = _metric(
    "loss/training", "mean loss per pair of the trained objective; comparable only within one objective; a curve"
)
LEARNING_RATE = _metric("training/learning_rate", "the learning rate, a curve")
SPEED = _metric("speed/words_per_second", "words of the text per second of training, a curve")
MEAN_COSINE = _metric("vectors/mean_cosine", "mean cosine of two frequent words; near 1 the vectors have collapsed")
SIMILARITY = _metric(
    "similarity/{set}", "Spearman's ρ between people's scores and cosines, for each set of `evaluation.similarity`"
)
ANALOGY_ADD = _metric(
    "analogy/{set}.3cosadd", "share of right answers by 3CosAdd, for each set of `evaluation.analogies`"
)
ANALOGY_MUL = _metric("analogy/{set}.3cosmul", "the same by 3CosMul")
CLOSER = _metric(
    "domain/{set}.closer",
    "share of pairs that are closer than another pair, as they should be, for each set of `evaluation.domain`",
)
CATEGORY = _metric("domain/{set}.category", "share of words that are nearest to the others of their category")
HIT_RATE = _metric(
    "sessions/{set}.hit_rate",
    "items: share of held-out sessions whose `next_item`, or the one that `leave_one_out` hides, is among the "
    "`evaluation.top` recommended; recall is the same, as one item is asked for",
)
RECIPROCAL_RANK = _metric("sessions/{set}.mrr", "mean reciprocal rank of that item, 0 if it is not recommended")
GAIN = _metric("sessions/{set}.ndcg", "normalised discounted cumulative gain of that item")
CATALOGUE = _metric("catalogue/{set}", "share of all items that are recommended to at least one session")
BASELINE = _metric(
    "baseline/{set}.{baseline}",
    "hit rate of a `baseline` that knows no vectors: `popularity`, or `cooccurrence` in the sessions of the training",
)
OVER_BASELINE = _metric(
    "baseline/{set}.over_{baseline}", "hit rate of the vectors less that of the baseline, on the same sessions"
)
COVERAGE = _metric("coverage/{set}", "share of the items whose words are all in the vocabulary")
LOW = _metric("interval/{score}.low", "lower end of the 95% interval of a score, which is named without its group")
HIGH = _metric("interval/{score}.high", "upper end of it")
DOCUMENTS_ADDED = _metric("corpus/documents_added", "documents more than the champion's corpus had")
TOKENS_ADDED = _metric("corpus/tokens_added", "words more than the champion's corpus had")
OUTSIDE = _metric("corpus/outside", "share of the words that are not in the champion's vocabulary")
DIVERGENCE = _metric(
    "corpus/divergence", "how far word frequencies differ from the champion's, in bits (Jensen–Shannon)"
)
DEVIATION = _metric("deviation/{score}", "on the parent run of `--seeds`: standard deviation of a score over the seeds")
COSINE_BEFORE = _metric(
    "alignment/cosine_before", "`promotion.align`: mean cosine with the champion's vectors before the rotation"
)
COSINE_AFTER = _metric("alignment/cosine_after", "and after it")

GROUPS = [
    "similarity",
    "analogy",
    "domain",
    "sessions",
]  # of scores, by the kind of test; the part before a score's first slash
ABOUT_SCORES = ("interval", "coverage")  # groups of metrics that describe scores

# Tags
CONFIG_NAME = _tag("config.name", "`name` of the config")
CONFIG_DIGEST = _tag("config.digest", "equal digests, equal settings")  # a parameter would differ in every comparison
NEWS = _tag("corpus.news", "what is new in the text against the champion's")
START = _tag("start", "the version, and its run, that a warm start began with")
START_OCCASION = _tag("start.occasion", "digest of the data, config and code for which the warm start was chosen")
VECTORS_DIGEST = _tag("vectors.digest", "of the trained vectors")
MODEL_VERSION = _tag("model.version", "the registered version, `MODEL/NUMBER`")
VERDICT = _tag("promotion", "the latest verdict about that version")  # also the artifact folder of the decisions
DECISION = _tag("decision {time}", "on the registered version: a decision with its figures, JSON")
RUN = _tag("run", "on the registered version: its run")
CONFIG = _tag("config", "on the registered version: `name` of the config")
ALIGNED = _tag("aligned", "with `promotion.align`: the version whose axes the vectors have")  # also an artifact folder
NOTHING_LEARNT = _tag("w2v.nothing_learnt", "why no version of this run may become champion")
NIGHT = _tag("w2v.night", "what `nights.html` shows of the run: seconds by stage, and the size of the text, JSON")
RECIPE = _tag("result.recipe", "digest of data, config and code: equal recipes are one run, which is continued")
RESULT = _tag("result.key", "digest of the result; set last, when the run is complete")
CERTIFICATE_DIGEST = _tag("reproducibility.digest", "of the certificate")
REPRODUCES = _tag("reproduces", "on a reproduction: the original run")
REPRODUCTION = _tag("reproduction", "and its verdict, `identical` or `different`")
CONTINUE = _tag("how to continue", "on a run that did not finish: the command that continues it")
KEEP = _tag("keep", "set by you: `w2v gc` and `w2v retain` keep the run (any value but `false`)")
HOST = _tag("owner.host", "of the process that works, or worked, on the run")
PID = _tag("owner.pid", "its id")
STARTED = _tag("owner.started", "when it started")
COMMAND = _tag("owner.command", "its command line")
BEAT = _tag("owner.beat", "the last heartbeat")
CLAIM = _tag("claim", "on a run that waits for its turn")
FLOW_RUN = _tag("prefect.flow_run_id", "the flow run on Prefect's server")
NOT_ON_PAGE = _tag("prefect.missing", "why Prefect has no record of the run")
SEEDS = _tag("seeds", "on the parent run of `--seeds`: the seeds")
DIRTY = _tag("git.dirty", "whether the checkout had changes")
W2V_VERSION = _tag("w2v.version", "the version that logged the run")  # one that can read what is logged here

# Tags that MLflow reads
PARENT = _tag("mlflow.parentRunId", "the run below which MLflow shows this one")
NOTE = _tag("mlflow.note.content", "the description: the report")
USER = _tag("mlflow.user", "who started it")
SOURCE_TYPE = _tag("mlflow.source.type", "`LOCAL`")
SOURCE = _tag("mlflow.source.name", "`w2v retrain`")
COMMIT = _tag("mlflow.source.git.commit", "the commit of the checkout")
EXPERIMENT_KIND = _tag("mlflow.experimentKind", "on the experiment: which of MLflow's pages it has")
VIEW = _tag("mlflow.sharedViewState.scores", "on the experiment: the columns of its table")
MODEL_VERSIONS = _tag("mlflow.modelVersions", "on a logged model: its registered versions")
INPUT_CONTEXT = _tag("mlflow.data.context", "on a dataset of the run: the stage that read it")
OTHERS = _tag("mlflow.…", "set by MLflow itself")

# Parameters: `section.key` of everything that determines the result, of which only this is read again.
WARM_START = _parameter("training.warm_start", "the vectors.parquet that the training began with, or `None`")
SEED = _parameter("seed", "that all random numbers follow from")

# Artifacts
REPORT = _file("report.md", "what people read: settings, accounts, scores, neighbours")
CONFIG_FILE = _file("config.json", "the whole config")
ENVIRONMENT = _file("environment.json", "Python, packages, CPU, BLAS")
CERTIFICATE = _file("reproducibility.json", "the certificate: digests of data, config, code, lock and every file")
CORPUS = _file("corpus.json", "what is new in the text")
PHRASES = _file("phrases.csv", "the phrases that became words (if `phrases.passes` is set)")
REPRODUCTION_FILE = _file("reproduction.json", "on a reproduction: what differs from the original")
NIGHTS = _file("nights.html", "the versions up to this one in time: scores, drift, text, duration, decisions")
BEST = _file("best.toml", "on the parent run of a sweep: the config of the best candidate")
DECISIONS = _folder("promotion", "each decision about the version, with its figures")
VECTORS = _folder(
    "vectors",
    "`vectors.npy`, `vocabulary.parquet`, `vectors.txt.gz`, `vectors.bin`; with subwords also `subwords.npy`, the rows "
    "of the n-grams, and `ngrams.parquet`",
)
ALIGNED_VECTORS = _folder("aligned", "the same, rotated to the champion's axes (`promotion.align`)")
FIGURES = _folder("figures", "`loss.png`, `words.png`; of a sweep `what-mattered.png`")
SCORES = _folder(
    "scores",
    "`evaluation.parquet`, `analogies.csv`, `neighbors.csv`, `bands.csv`; of a sweep `sweep.csv`, of seeds `seeds.csv`",
)
MANIFESTS = _folder("manifests", "the manifest of each stage's output")
COMPARISONS = _folder("comparisons", "pages of `w2v compare`")
