"""What a run says about its settings and its origin: parameters, tags and config.json."""

from importlib.metadata import version
from typing import Any

from configs.schema import Config
from tasks.datasets.files import digest_of
from tasks.engine import environment
from tasks.tracking import names
from tasks.tracking.ownership import owner_tags

LONGEST = 6_000  # characters of a parameter; config.json has all of them


def parameters(config: Config) -> dict[str, str]:
    """Return all settings that affect the result, as `section.key` → value."""
    values = _settings_of_result(config)
    flat = {names.SEED: str(values.pop("seed"))}
    for section, settings in values.items():
        flat |= {f"{section}.{key}": str(value)[:LONGEST] for key, value in settings.items()}
    return flat


def tags(config: Config, flow_run_id: str) -> dict[str, str]:
    """Return the tags of a run that this process starts: its flow run, owner, config and code."""
    commit = environment.commit()
    return {
        names.FLOW_RUN: flow_run_id,
        **owner_tags(),
        names.CONFIG_NAME: config.name,
        names.CONFIG_DIGEST: digest_of(_settings_of_result(config)),
        names.W2V_VERSION: version("w2v-retraining"),
        names.USER: environment.user(),
        names.SOURCE_TYPE: "LOCAL",
        names.SOURCE: "w2v retrain",
        **({names.COMMIT: commit["commit"], names.DIRTY: commit["dirty"]} if commit else {}),
    }


def _settings_of_result(config: Config) -> dict[str, Any]:
    without_result = {"version", "name", "tracking", "promotion", "schedule", "runtime", "notify", "retention"}
    return config.model_dump(mode="json", exclude=without_result)
