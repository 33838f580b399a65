"""Write CSV for spreadsheets, where a word that begins like a formula would be evaluated.

Such a text gets an apostrophe before it, as OWASP recommends (CSV injection). Files for programs are not written here:
word2vec files, Parquet and the projector's TSV contain every word unchanged.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

BEGINNINGS = ("=", "+", "-", "@", "\t", "＝", "＋", "－", "＠", "﹢", "﹣", "﹦", "﹫", "−")


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write the rows without their index, with each text made harmless."""
    safe = frame.apply(lambda column: column.map(harmless)) if len(frame) else frame
    safe.columns = pd.Index([harmless(name) for name in frame.columns])
    safe.to_csv(path, index=False)


def harmless(value: Any) -> Any:
    """Return a text on one line that no spreadsheet evaluates; a number unchanged."""
    if not isinstance(value, str):
        return value
    line = re.sub(r"[\r\n]+", " ", value)  # pandas does not quote a lone \r, which would start a new row
    return f"'{line}" if line.lstrip(" \u00a0").startswith(BEGINNINGS) else line
