"""Everything that can go wrong with a user's input or disk, on one page.

PipelineError            the command line shows it as one message and exits with 1
├── InputError           the text, a word list or an evaluation set is not what the config says
│   └── UnknownWord      vectors are asked about a word that has none
├── ContractError        a dataset does not match its contract, or is damaged
├── StoreError           the store cannot be read or written
├── TrainingError        training left the range of numbers
├── Paused               training went as far as it was to go for now
└── TrackingError        MLflow does not know the run, or refuses what it is asked
    └── Unreachable      MLflow does not answer, and may do so later
"""

from configs.addresses import shown


class PipelineError(Exception):
    """Says the place, the expectation, the finding and the next step; no secret of an address, whoever quotes it."""

    def __init__(self, message: str = "") -> None:
        super().__init__(shown(message))


class InputError(PipelineError):
    pass


class UnknownWord(InputError):
    def __init__(self, near: dict[str, list[str]], known: int, cut: dict[str, list[str]] | None = None) -> None:
        """`near` has known words that are spelled like each unknown one, `cut` what those become that are no words."""
        words = [
            f"{word!r}"
            + (f"  is no word here, but {_listed(cut[word])}" if cut and word in cut else "")
            + (f"  did you mean {', '.join(like)}?" if like else "")
            for word, like in near.items()
        ]
        lines = [
            f"not in the vocabulary of {known:,} words",
            *words,
            "Such a word is not in the text they come from, or rarer there than vocabulary.min_count.",
        ]
        super().__init__("\n".join(lines))
        self.near = near


def _listed(words: list[str]) -> str:
    return f"{len(words)} words: {' '.join(words)}" if words else "nothing that [tokenization] keeps"


class ContractError(PipelineError):
    pass


class StoreError(PipelineError):
    pass


class TrainingError(PipelineError):
    pass


class Paused(PipelineError):
    """Its checkpoint is kept. `losses` has J(θ) at the start and at the end of each epoch so far."""

    def __init__(self, run_id: str, losses: list[float]) -> None:
        super().__init__(f"training paused after {len(losses) - 1} epochs")
        self.run_id, self.losses = run_id, losses


class TrackingError(PipelineError):
    pass


class Unreachable(TrackingError):
    pass
