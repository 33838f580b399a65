"""Which experiment a command means: a file of the user's, or the quickstart."""

from pathlib import Path
from typing import TYPE_CHECKING

from configs.workspaces import placed

if TYPE_CHECKING:
    from configs.schema import Config

QUICKSTART = Path(__file__).with_name("quickstart.toml")


def read(path: Path, settings: list[str]) -> "Config":
    """Read the config of a file with its changes.

    The quickstart's probes and epochs suit its own text alone, so with a source of the user's own it is left out.
    """
    from configs import loading

    settings = placed(settings)
    own_text = path == QUICKSTART and any(setting.startswith("ingestion.source") for setting in settings)
    return loading.load(None if own_text else path, settings)
