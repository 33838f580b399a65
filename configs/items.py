"""What `tokenization.kind = "items"` means for the other sections: their defaults, and what they cannot hold."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

HELD_OUT = 0.05  # of the sessions, by which the vectors are judged
OF_TEXT = {
    "lowercase": (True, False),
    "digits": ("keep",),
    "sentences": (False,),
    "pattern": (None,),
    "segmenter": (None,),
}
OF_ITEMS = ("session_column", "time_column", "separator")  # keys of [ingestion]


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a config, with the defaults of items where it is one of items and says nothing else."""
    found = dict(values)
    items = _value(found, "tokenization", "kind") == "items"
    if items or _value(found, "ingestion", "kind") == "items":
        _put(found, "ingestion", {"kind": "items" if items else "text"}, over=True)
    if items:
        timed = _value(found, "ingestion", "time_column") is not None
        _put(found, "vocabulary", {"subsample": 0.0})
        _put(found, "windows", {"held_out_fraction": HELD_OUT, **({"held_out": "last"} if timed else {})})
    return found


def contradiction(config: Any) -> str:
    """Return what in the config does not go with its kind of documents; "" if nothing does."""
    ingestion, tokenization = config.ingestion, config.tokenization
    if tokenization.kind == "text":
        idle = [f"ingestion.{key}" for key in OF_ITEMS if getattr(ingestion, key) is not None]
        if config.evaluation.top != type(config.evaluation)().top:
            idle.append("evaluation.top")
        return _said(idle[0], 'tokenization.kind = "items"', '"text"', "Set it too, or remove the key.") if idle else ""
    for key, allowed in OF_TEXT.items():
        if (value := getattr(tokenization, key)) not in allowed:
            return _said(
                f"tokenization.{key}", "no such key: ids of items are kept as they are", repr(value), "Remove it."
            )
    if config.phrases.passes:
        return _said(
            "phrases.passes", "0: an id of an item is no part of a phrase", str(config.phrases.passes), "Remove it."
        )
    if config.training.max_n:
        return _said(
            "training.max_n",
            "0: the letters of an id say nothing of the item",
            str(config.training.max_n),
            "Remove it.",
        )
    if ingestion.time_column and not ingestion.session_column:
        return _said(
            "ingestion.time_column",
            "ingestion.session_column too: a time is that of an event of a session",
            "none",
            "Set it too, or remove the time: lists are in the order of their events.",
        )
    if ingestion.session_column and ingestion.id_column:
        return _said(
            "ingestion.id_column", "no name: a session has that of its column", ingestion.id_column, "Remove it."
        )
    return ""


def _said(key: str, expected: str, found: str, way: str) -> str:
    return f"{key}\nexpected  {expected}\nfound     {found}\n{way}"


def _value(values: Mapping[str, Any], section: str, key: str) -> Any:
    given = values.get(section)
    return (
        getattr(given, key, None)
        if isinstance(given, BaseModel)
        else given.get(key)
        if isinstance(given, Mapping)
        else None
    )


def _put(values: dict[str, Any], section: str, defaults: dict[str, Any], *, over: bool = False) -> None:
    """Give a section values where it has none of its own, or `over` those."""
    given = values.get(section, {})
    if isinstance(given, BaseModel):
        missing = {key: value for key, value in defaults.items() if over or key not in given.model_fields_set}
        values[section] = given.model_copy(update=missing)
    elif isinstance(given, Mapping):
        values[section] = {**defaults, **given, **(defaults if over else {})}
