"""Define what commands print with --json: one shape for each; docs/reference/json.md lists their fields."""

from typing import Any

from pydantic import Field

from tasks.engine.store import FrozenModel


class Near(FrozenModel):
    word: str
    cosine: float


class Neighbors(FrozenModel):
    run: str = Field(description="The MLflow run whose vectors answer; empty while it waits for MLflow.")
    version: str = Field(description="Its registered version, MODEL/NUMBER; empty if it has none.")
    neighbors: dict[str, list[Near]] = Field(description="For each word that was asked, the nearest first.")


class Analogy(FrozenModel):
    run: str = Field(description="As of `neighbors`.")
    version: str = Field(description="As of `neighbors`.")
    answers: list[Near] = Field(description="What completes the analogy, the best first.")


class Stage(FrozenModel):
    stage: str = Field(description="Its name; draws of windows have a number.")
    reused: bool = Field(description="Whether its output is in the store already.")
    about: str = Field(description="What the output has, or how much of the text is new.")
    rows: float | None = Field(None, description="Expected; null if it is reused, or nothing can be said yet.")
    disk: float | None = Field(None, description="Expected bytes on the disk.")
    memory: float | None = Field(None, description="Expected bytes of memory.")
    seconds: float | None = Field(None, description="Expected time.")


class Plan(FrozenModel):
    nothing_to_do: bool = Field(description="Whether `w2v retrain` would only name the run that has this result.")
    stages: list[Stage] = Field(description="In their order, then what follows them.")
    warnings: list[str] = Field(description="About time, memory, disk and the text.")
    warm_start: str = Field(description="The vectors that the training begins with; empty for a cold start.")
    store: str = Field(description="The folder of the outputs.")
    remote: str = Field(description="The address of the shared store; empty without one.")


class Entry(FrozenModel):
    version: str = Field(description="The number of the version.")
    run: str = Field(description="Its MLflow run.")


class History(FrozenModel):
    model: str = Field(description="The registered model.")
    champion: Entry | None = Field(description="Null if there is none.")
    challenger: Entry | None = Field(description="Null if there is none.")
    decisions: list[dict[str, Any]] = Field(
        description="The oldest first: `version`, `run_id`, `verdict`, `against` (the champion then), `why`, `who`, "
        "`when`, `faults` and `figures`, as in the run's `promotion/*.json`."
    )


class Side(FrozenModel):
    value: float
    low: float | None = Field(description="The 95% interval; null if the score has none.")
    high: float | None = Field(description="Its upper end.")


class Difference(FrozenModel):
    run: str = Field(description="The run that is compared with the first.")
    value: float = Field(description="Its score minus that of the first run, on the items that both cover.")
    low: float = Field(description="The 95% interval of the difference.")
    high: float = Field(description="Its upper end.")
    better: float = Field(description="The probability that its score is higher.")
    items: int = Field(description="How many items both cover.")


class Score(FrozenModel):
    score: str = Field(description="The name of the metric.")
    runs: dict[str, Side] = Field(description="The values, by run.")
    differences: list[Difference] = Field(description="Of each later run, where the items can be compared.")


class Compared(FrozenModel):
    run: str
    name: str


class Space(FrozenModel):
    run: str = Field(description="The run that is compared with the first.")
    shared: int = Field(description="How many words both know.")
    gained: int = Field(description="How many words are new.")
    lost: int = Field(description="How many words are gone.")
    overlap: float = Field(description="The mean share of neighbours kept.")
    cosine: float = Field(description="The mean cosine of the shared words, after alignment.")
    moved: list[str] = Field(description="The words that moved most, first the one that moved most.")
    notes: list[str] = Field(description="What cannot be compared, with the reason.")


class Period(FrozenModel):
    name: str = Field(description="Of its runs, without seed and time.")
    runs: list[str] = Field(description="Its MLflow runs, one for each seed.")


class Apart(FrozenModel):
    value: float = Field(description="1 − cosine on common axes, the mean over the seeds.")
    low: float = Field(description="The lowest over the seeds.")
    high: float = Field(description="The highest over the seeds.")


class Stop(FrozenModel):
    period: str = Field(description="Its name.")
    count: int = Field(description="Occurrences of the word in the period.")
    from_first: Apart | None = Field(description="Its distance from the first period; null in that.")
    from_last: Apart | None = Field(description="Its distance from the period before; null in the first.")
    neighbors: list[str] = Field(description="The nearest first.")


class Shifted(FrozenModel):
    word: str = Field(description="The word.")
    shift: float = Field(description="Its distance from the first to the last period, less that between seeds.")
    sure: bool = Field(description="Whether that is beyond chance.")


class Trace(FrozenModel):
    periods: list[Period] = Field(description="In order.")
    shared: int = Field(description="Words by which the periods are aligned.")
    words: dict[str, list[Stop]] = Field(description="For each word that was asked, its periods in order.")
    moved: list[Shifted] = Field(description="The words that moved most.")
    still: list[Shifted] = Field(description="The words that moved least.")
    chance: float | None = Field(description="The largest shift by chance; null without several seeds.")
    splits: int = Field(description="Splits of the same trainings that bound chance, the true one included.")
    page: str = Field(description="The file of the HTML page.")


class Comparison(FrozenModel):
    runs: list[Compared] = Field(description="The first is what the others are compared with.")
    parameters: dict[str, list[str]] = Field(description="Those that differ, with their value in each run.")
    scores: list[Score]
    spaces: list[Space] = Field(description="One for each later run.")
    page: str = Field(description="The HTML page.")


class Finding(FrozenModel):
    good: bool
    subject: str
    finding: str


class Checked(FrozenModel):
    good: bool = Field(description="Whether nothing must be fixed; the exit code is 1 if not.")
    findings: list[Finding]


def print_json(answer: FrozenModel) -> None:
    """Print an answer as JSON; characters beyond ASCII are printed as they are."""
    print(answer.model_dump_json(indent=1))


def near(found: list[tuple[str, float]]) -> list[Near]:
    """Return words with their cosines."""
    return [Near(word=word, cosine=round(cosine, 6)) for word, cosine in found]
