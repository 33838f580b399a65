"""CSV for people, who open it in a spreadsheet, where a word that begins like a formula would be computed.

Such a text gets an apostrophe before it, as OWASP recommends (CSV injection). What programs read is not written here:
word2vec's files, Parquet and the projector's TSV hold every word as it is.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

BEGINNINGS = ("=", "+", "-", "@", "\t", "＝", "＋", "－", "＠", "﹢", "﹣", "﹦", "﹫", "−")


def write(frame: pd.DataFrame, path: Path) -> None:
    """The rows without their index, each text in them harmless."""
    safe = frame.apply(lambda column: column.map(harmless)) if len(frame) else frame
    safe.columns = pd.Index([harmless(name) for name in frame.columns])
    safe.to_csv(path, index=False)


def harmless(value: Any) -> Any:
    """A text in one line that no spreadsheet computes; a number as it is."""
    if not isinstance(value, str):
        return value
    line = re.sub(r"[\r\n]+", " ", value)  # pandas does not quote a lone \r, which would begin a row
    return f"'{line}" if line.lstrip(" \u00a0").startswith(BEGINNINGS) else line
