"""The settings of the core, from the config: the same for training and evaluation."""

from configs.schema import Training
from w2v_core.training import Settings

FILES = {"warm_start", "frozen", "keep_epochs"}  # what the core does not know: files it starts from, and leaves


def settings_of(config: Training, window: int, seed: int) -> Settings:
    return Settings(window=window, seed=seed, **config.model_dump(exclude=FILES))
