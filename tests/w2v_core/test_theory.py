"""docs/explanation/theory.md shows the code that is there."""

import re

from tests.support.paths import PROJECT

ROOT = PROJECT


def quoted() -> list[tuple[str, str]]:
    """Return each line of code in the page, with the file that the comment above it names."""
    lines, file = [], ""
    page = (ROOT / "docs" / "explanation" / "theory.md").read_text("utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("# w2v_core/"):
                file = line[2:]
            else:
                lines.append((file, line.strip()))
    return lines


def test_every_line_of_code_in_the_theory_is_a_line_of_the_core() -> None:
    """Each quoted line is in the file that its block names."""
    code = {file: [line.strip() for line in (ROOT / file).read_text("utf-8").splitlines()] for file, _ in quoted()}

    assert quoted()
    assert [(file, line) for file, line in quoted() if line not in code[file]] == []
