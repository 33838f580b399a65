"""Read the config that a command names: a file of the user, or the quickstart."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.workspaces import VARIABLE, placed

if TYPE_CHECKING:
    from configs.schema import Config

QUICKSTART = Path(__file__).with_name("quickstart.toml")


def read(path: Path, settings: list[str]) -> "Config":
    """Read a config file, changed by the settings.

    The quickstart's probes and epochs suit only its own text: if the settings name another source, the defaults are
    used instead of it.
    """
    from configs import loading

    settings = placed(settings)
    return loading.load(_file(path, settings), settings)


def origins(path: Path, settings: list[str], workspace: Path | None) -> dict[str, str]:
    """Return where each value of `section.key` comes from that is no default: the file, or the way it was set."""
    from configs import loading

    values = placed(settings, workspace)
    file = _file(path, values)
    found = dict.fromkeys(_keys(loading.values(file)), str(file)) if file else {}
    said = "--workspace" if workspace else VARIABLE
    return found | dict.fromkeys(_set(values[len(settings) :]), said) | dict.fromkeys(_set(settings), "--set")


def _file(path: Path, settings: list[str]) -> Path | None:
    own_text = path == QUICKSTART and any(setting.startswith("ingestion.source") for setting in settings)
    return None if own_text else path


def _set(settings: list[str]) -> list[str]:
    from configs import loading

    return _keys(loading.set_values({}, settings))


def _keys(values: dict[str, Any]) -> list[str]:
    """Return the keys of a config's values, as `section.key`."""
    sections = {key: value for key, value in values.items() if isinstance(value, dict)}
    return [
        *(key for key in values if key not in sections),
        *(f"{section}.{key}" for section, keys in sections.items() for key in keys),
    ]
