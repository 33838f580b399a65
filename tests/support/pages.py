"""Pages of the documentation as programs: their blocks of code, in order."""

import re
from pathlib import Path


def blocks(page: Path, language: str) -> list[str]:
    """The content of each fenced block of the language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
