"""Read the config that a command names: a file of the user, or the quickstart."""

from pathlib import Path
from typing import TYPE_CHECKING

from configs.workspaces import placed

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
    own_text = path == QUICKSTART and any(setting.startswith("ingestion.source") for setting in settings)
    return loading.load(None if own_text else path, settings)
