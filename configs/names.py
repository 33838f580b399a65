"""Check names and times when the config is read, which other programs would refuse later."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

LONGEST = 200  # characters: MLflow on PostgreSQL allows 250 in a run's name, and a time is appended
CUT = "…"
UNREGISTRABLE = re.compile(r"[/:@'\"`\\]|^\.+$")  # in the name of a model
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
CRON = {
    "a minute": (0, 59),
    "an hour": (0, 23),
    "a day of the month": (1, 31),
    "a month": (1, 12),
    "a day": (0, 7),
    "a second": (0, 59),
}
OFTEN = {"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
NAMED = {
    "a month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "a day": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}  # names in cron fields, in the order of their numbers


def _printable(name: str) -> str:
    if CONTROL.search(name) or not name.strip():
        raise ValueError(f"expected  a name on one line\nfound     {name!r:.100}")
    return name


def model_name(name: str) -> str:
    """Return the name, with `-` for what MLflow's registry does not allow in the name of a model."""
    return UNREGISTRABLE.sub("-", name).strip() or "-"


def _model(name: str) -> str:
    if not name:  # it bears the config's name
        return name
    if UNREGISTRABLE.search(name) or CONTROL.search(name) or name.strip() != name:
        raise ValueError(
            f"expected  a name without / : @ \\ and quotation marks, for MLflow's registry\nfound     {name!r:.100}"
        )
    return name


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown zone, an invalid path, a folder of zones
        raise ValueError(f"expected  a time zone, such as `Europe/Berlin`\nfound     {name!r:.100}") from None
    return name


def _cron(text: str) -> str:
    """Refuse what cannot be a cron schedule; Prefect checks it fully when it is deployed."""
    fields = text.split()
    if text in OFTEN:
        return text
    if len(fields) not in (5, 6):
        raise ValueError(f"expected  five fields, such as `0 3 * * *`\nfound     {text!r:.100}")
    for (what, (low, high)), field in zip(CRON.items(), fields, strict=False):  # seconds may be left out
        if not all(_times(part, what, low, high) for part in field.split(",")):
            raise ValueError(
                f"expected  {what}: numbers from {low} to {high}, *, lists, ranges and steps\nfound     {field!r:.100}"
            )
    return text


def _times(part: str, what: str, low: int, high: int) -> bool:
    """Return True for `*`, a number or a range, each with an optional step, or a day such as `L` or `5#2`."""
    times, slash, step = part.partition("/")
    if slash and not (step.isascii() and step.isdigit() and 0 < int(step) <= high):
        return False
    if times in ("*", "?") or re.fullmatch(r"[lL][0-7]?|[a-zA-Z0-7]{1,3}#[1-5]", times):
        return True
    ends = [_number(end, what) for end in times.split("-")]
    return len(ends) <= 2 and all(low <= end <= high for end in ends)


def _number(text: str, what: str) -> int:
    named = NAMED.get(what, [])
    if text.lower() in named:
        return named.index(text.lower()) + CRON[what][0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else -1


def shortened(name: str) -> str:
    """Return the name, cut to the longest length that is allowed."""
    return name if len(name) <= LONGEST else name[: LONGEST - len(CUT)] + CUT


Name = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_printable)]
ModelName = Annotated[str, Field(max_length=LONGEST), AfterValidator(_model)]
Cron = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_cron)]
Zone = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_zone)]
