"""`training.max_n` needs blocks and one model; without it nothing of subwords is in a key."""

import pytest

from configs.loading import ConfigError, load

TEXT = "ingestion.source=text.txt"
MORE = [TEXT, "training.max_n=6"]


def test_words_without_subwords_keep_the_keys_they_had() -> None:
    """No key of subwords is in the section that stages' keys are made of, until max_n is set."""
    plain, made = (load(None, settings).model_dump(mode="json")["training"] for settings in ([TEXT], MORE))

    assert not {"max_n", "min_n", "buckets"} & plain.keys()
    assert (made["min_n"], made["max_n"], made["buckets"]) == (3, 6, 200_000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.objective=softmax"], 'found     max_n = 6 with objective = "softmax"'),
        (["training.objective=hierarchical_softmax"], 'found     max_n = 6 with objective = "hierarchical_softmax"'),
        (["training.shared_negatives=0"], "found     max_n = 6 with shared_negatives = 0"),
        (["training.batch_size=full"], 'found     max_n = 6 with batch_size = "full"'),
        (["training.batch_size=8"], "found     max_n = 6 with batch_size = 8 and block_length = 32"),
        (["training.replicas=2"], "found     max_n = 6 with replicas = 2"),
        (["training.warm_start=champion"], "found     max_n = 6 with warm_start = 'champion'"),
        (["training.frozen=list.txt"], "found     max_n = 6 with frozen = 'list.txt'"),
        (["training.keep_epochs=2"], "found     max_n = 6 with keep_epochs = 2"),
        (["training.min_n=7"], "expected  min_n up to max_n\nfound     min_n = 7, max_n = 6"),
        (["training.max_n=0", "training.min_n=2"], "expected  max_n above 0, for min_n\nfound     max_n = 0"),
        (["training.max_n=0", "training.buckets=5"], "expected  max_n above 0, for buckets\nfound     max_n = 0"),
        (["tokenization.kind=items"], "training.max_n\nexpected  0: the letters of an id say nothing of the item"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: list[str], message: str) -> None:
    """The error names the key, what was expected and found, and what to do."""
    with pytest.raises(ConfigError) as caught:
        load(None, [*MORE[: 1 if settings[0] == "training.max_n=0" else 2], *settings])

    assert message in str(caught.value)
