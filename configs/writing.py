"""A config as the TOML file that would be written by hand: only what differs from the defaults."""

import tomli_w

from configs.schema import Config


def toml(config: Config, comment: str) -> str:
    """Return what `load` reads as this same config, below the comment."""
    lines = [f"# {_printable(line)}\n" for line in comment.splitlines()]
    return "".join(lines) + tomli_w.dumps(config.model_dump(mode="json", exclude_defaults=True))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
