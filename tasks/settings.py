"""Make the core's settings from the config, for training and evaluation alike."""

from configs.schema import Training
from w2v_core.training import Settings

# settings of files, which the core does not read or write, of replicas, each of which trains as if alone, and of
# subwords, which are part of the model
OUTSIDE = {
    "warm_start",
    "frozen",
    "keep_epochs",
    "replicas",
    "meetings",
    "solo_windows",
    "max_n",
    "min_n",
    "buckets",
}


def settings_of(config: Training, window: int, seed: int) -> Settings:
    """Return the core's settings for a training section."""
    return Settings(window=window, seed=seed, **config.model_dump(exclude=OUTSIDE))
