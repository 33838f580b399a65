"""Write a config as a TOML file, as by hand: only the values that differ from the defaults."""

import tomli_w

from configs.schema import Config


def toml(config: Config, comment: str) -> str:
    """Return TOML text that `load` reads as the same config, with the comment at its top."""
    lines = [f"# {printable(line)}\n" for line in comment.splitlines()]
    return "".join(lines) + tomli_w.dumps(config.model_dump(mode="json", exclude_defaults=True))


def printable(text: str) -> str:
    """Return the text with a blank for each character that a comment cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)
