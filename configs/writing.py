"""A config as the TOML file that would be written by hand: only what differs from the defaults."""

import json
from typing import Any

from configs.schema import Config


def toml(config: Config, comment: str) -> str:
    """What `load` reads as this same config, below the comment.

    JSON's texts, numbers and lists are TOML's too, but for one character that TOML wants escaped.
    """
    values = config.model_dump(mode="json", exclude_defaults=True)
    sections = {name: section for name, section in values.items() if isinstance(section, dict)}
    alone = {name: value for name, value in values.items() if name not in sections}
    blocks = [f"# {_printable(line)}" for line in comment.splitlines()] + _lines(alone)
    for name, section in sections.items():
        blocks += ["", f"[{name}]", *_lines(section)]
    return "\n".join(blocks) + "\n"


def _lines(values: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(key)} = {_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
