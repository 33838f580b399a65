"""All errors caused by a user's input, disk or servers, on one page.

PipelineError            the command line prints it as one message and exits with 1
├── InputError           the text, a word list or an evaluation set does not match the config
│   ├── UnknownWord      a query contains words without vectors
│   └── MissingColumn    a table lacks a column that the config names
├── ContractError        a dataset does not match its contract, or is damaged
├── StoreError           the store cannot be read or written
│   └── RemoteError      the store that hosts share cannot be reached, or refuses
├── EngineError          a worker cannot run a call, or the engine that runs the workers is lost
├── DeterminismError     the same work gave two results
├── TrainingError        training overflowed
├── Paused               training reached the epoch to pause after
└── TrackingError        MLflow does not know the run, or refuses a request
    └── Unreachable      MLflow cannot be reached at the moment
"""

from configs.addresses import shown


class PipelineError(Exception):
    """The message gives place, expectation, finding and next step. Secrets in addresses are masked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(shown(message))


class InputError(PipelineError):
    pass


class UnknownWord(InputError):
    def __init__(self, near: dict[str, list[str]], known: int, cut: dict[str, list[str]] | None = None) -> None:
        """`near` maps each unknown word to known words of similar spelling, `cut` to the words it becomes."""
        words = [
            f"{word!r}"
            + (f"  is not one word here, but {_listed(cut[word])}" if cut and word in cut else "")
            + (f"  did you mean {', '.join(like)}?" if like else "")
            for word, like in near.items()
        ]
        lines = [
            f"not in the vocabulary of {known:,} words",
            *words,
            "A word is missing if it is not in the text, or rarer there than vocabulary.min_count.",
        ]
        super().__init__("\n".join(lines))
        self.near = near


class MissingColumn(InputError):
    def __init__(self, message: str, columns: list[str]) -> None:
        """`columns` are those of the table."""
        super().__init__(message)
        self.columns = columns


def _listed(words: list[str]) -> str:
    return f"{len(words)} words: {' '.join(words)}" if words else "nothing that [tokenization] keeps"


class ContractError(PipelineError):
    pass


class StoreError(PipelineError):
    pass


class RemoteError(StoreError):
    def __init__(self, message: str = "", *, new: bool = True) -> None:
        """`new` is false if the store was not asked, since it failed a moment ago and that was said then."""
        super().__init__(message)
        self.new = new


class EngineError(PipelineError):
    pass


class DeterminismError(PipelineError):
    pass


class TrainingError(PipelineError):
    pass


class Paused(PipelineError):
    """Training paused; its checkpoint is kept. `losses` are J(θ) at the start and at the end of each epoch so far."""

    def __init__(self, run_id: str, losses: list[float]) -> None:
        super().__init__(f"training paused after {len(losses) - 1} epochs")
        self.run_id, self.losses = run_id, losses


class TrackingError(PipelineError):
    pass


class Unreachable(TrackingError):
    pass
