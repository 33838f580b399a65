"""Find the workspace's folder: --workspace or --set, else W2V_WORKSPACE, else the config, else `workspace`.

Slow imports are inside the functions, since the command line imports this module for `--help`.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "W2V_WORKSPACE"
KEY = "runtime.workspace"
DEFAULT = Path("workspace")


def folder(text: str | Path) -> Path:
    """Return the folder as it was typed, with `~` and `..` resolved.

    Raises ValueError if the text is empty, names a file, or names an unknown user.
    """
    if not str(text).strip():
        raise ValueError("the workspace is empty: is a shell variable not set?\nexpected  the name of a folder")
    try:
        found = Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text}: there is no such user\nA folder of that name is ./{text}") from None
    if os.path.isfile(found):  # noqa: PTH113 (returns False, not an error, for a name that is too long)
        raise ValueError(f"{text} is a file\nexpected  a folder for the workspace, or the name of a new one")
    return Path(os.path.realpath(found)) if ".." in found.parts else found


def default() -> Path:
    """Return the workspace if there is no config: W2V_WORKSPACE, else `workspace`."""
    return folder(os.environ.get(VARIABLE) or DEFAULT)


def placed(settings: Iterable[str], asked: Path | None = None) -> list[str]:
    """Return the settings, with the workspace of --workspace, or else of the environment, added.

    Raises ConfigError if --workspace and --set name different ones.
    """
    from configs.loading import ConfigError, value_of

    said = [setting for setting in settings if setting.partition("=")[0].strip() == KEY]
    wanted = asked or (None if said else os.environ.get(VARIABLE))
    if not wanted:
        return list(settings)
    try:
        place = folder(wanted)
    except ValueError as error:
        raise ConfigError(f"{'--workspace' if asked else VARIABLE}: {error}") from None
    if said and folder(str(value_of(said[-1].partition("=")[2].strip()))).absolute() != place.absolute():
        raise ConfigError(
            f"two workspaces are asked for\nfound     --workspace {place} and --set {said[-1]}\nName only one of them."
        )
    return [*settings, f"{KEY}={json.dumps(str(place), ensure_ascii=False)}"]
