"""Which folder is the workspace: --workspace or --set, else W2V_WORKSPACE, else the config, else `workspace`.

Heavy imports wait inside the functions, since the command line imports this for `--help`.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "W2V_WORKSPACE"
KEY = "runtime.workspace"
DEFAULT = Path("workspace")


def folder(text: str | Path) -> Path:
    """The folder as it is typed, but for `~` and `..`, which messages are not to have in them.

    Raises ValueError if it is empty, a file, or there is no such user.
    """
    if not str(text).strip():
        raise ValueError("the workspace is empty: a shell variable that is not set?\nexpected  the name of a folder")
    try:
        found = Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text}: there is no such user\nA folder of that name is ./{text}") from None
    if os.path.isfile(found):  # noqa: PTH113 (False, and no error, of a name that is too long)
        raise ValueError(f"{text}: a file is no workspace\nexpected  a folder, or the name of one to be made")
    return Path(os.path.realpath(found)) if ".." in found.parts else found


def default() -> Path:
    """Where no config has a say."""
    return folder(os.environ.get(VARIABLE) or DEFAULT)


def placed(settings: Iterable[str], asked: Path | None = None) -> list[str]:
    """The settings with the workspace that --workspace asks for, or else the environment.

    Raises ConfigError if --workspace asks for one and --set for another.
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
            f"two workspaces are asked for\nfound     --workspace {place} and --set {said[-1]}\nName one of them."
        )
    return [*settings, f"{KEY}={json.dumps(str(place), ensure_ascii=False)}"]
