"""A config of items has their defaults, and nothing that is for text."""

import pytest

from configs.loading import ConfigError, load
from configs.schema import Config, Ingestion, Tokenization

ITEMS = ["ingestion.source=log.csv", "tokenization.kind=items"]


def test_items_have_their_defaults() -> None:
    """Nothing is subsampled, a twentieth is held out, and ingestion follows the kind; what is said otherwise stays."""
    config, other = load(None, ITEMS), load(None, [*ITEMS, "vocabulary.subsample=0.1", "windows.held_out_fraction=0.2"])

    assert (config.vocabulary.subsample, config.windows.held_out_fraction) == (0.0, 0.05)
    assert config.ingestion.kind == "items"
    assert (other.vocabulary.subsample, other.windows.held_out_fraction) == (0.1, 0.2)


def test_the_last_sessions_are_held_out_where_there_is_a_time() -> None:
    """The newest sessions judge what was learnt from older ones."""
    timed = load(None, [*ITEMS, "ingestion.session_column=s", "ingestion.time_column=t"])

    assert (timed.windows.held_out, load(None, ITEMS).windows.held_out) == ("last", "random")


def test_a_config_of_items_is_the_same_when_logged_and_read_again() -> None:
    """Made of sections or of values, as a deployment passes it."""
    config = Config(ingestion=Ingestion(source="a.csv"), tokenization=Tokenization(kind="items"))

    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert config.vocabulary.subsample == 0.0


def test_text_keeps_the_keys_it_had() -> None:
    """No key of items is in the sections that stages' keys are made of."""
    dumped = load(None, ITEMS[:1]).model_dump(mode="json")

    assert not {"kind", "session_column", "time_column", "separator"} & {*dumped["ingestion"], *dumped["tokenization"]}
    assert not {"shrink", "bound", "held_out"} & dumped["windows"].keys()
    assert "top" not in dumped["evaluation"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["tokenization.kind=text", "ingestion.session_column=s"], 'expected  tokenization.kind = "items"\n'),
        (["tokenization.kind=text", "evaluation.top=5"], "evaluation.top\n"),
        (["windows.bound=5"], 'expected  window = "document", for bound\nfound     5'),
        (["windows.window=document", "windows.shrink=false"], "expected  a number as window, for shrink"),
        (["tokenization.digits=drop"], "tokenization.digits\nexpected  no such key"),
        (["tokenization.pattern=[a-z]+"], "tokenization.pattern\n"),
        (["phrases.passes=1"], "phrases.passes\nexpected  0"),
        (["ingestion.time_column=t"], "ingestion.time_column\nexpected  ingestion.session_column too"),
        (["ingestion.session_column=s", "ingestion.id_column=i"], "ingestion.id_column\n"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: list[str], message: str) -> None:
    """The error names the key, what was expected and found, and what to do."""
    with pytest.raises(ConfigError, match=message):
        load(None, [*ITEMS, *settings])
