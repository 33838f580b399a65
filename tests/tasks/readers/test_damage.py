"""A damaged file is read unchanged, read with its losses counted, or refused."""

import json
import subprocess
import sys

import pytest

from tests.support.damage import CHECKED, WHOLE
from tests.support.paths import PROJECT

EACH = 125  # for each kind of file: 2,000 in all


def of_damaged(kind: str, count: int, seed: int) -> dict[str, int]:
    """Return the outcomes, read in a separate process, so that a crash of a library is noticed."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.support.damage", kind, str(count), str(seed)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    found: dict[str, int] = json.loads(answer.stdout)
    assert found.pop("peak_mb") < 1000
    assert found.pop("slowest") < 60
    if kind in CHECKED:
        assert not found["counted"]
        assert not found["changed"]
    return found


@pytest.mark.parametrize("kind", WHOLE)
def test_damage_is_never_a_crash(kind: str) -> None:
    """Damage of any kind never crashes; a format with checksums is never read with other words."""
    assert sum(of_damaged(kind, 12, seed=1).values()) == 12


@pytest.mark.long
def test_two_thousand_damaged_files() -> None:
    """The counts over 2,000 damaged files are those that docs/reference/formats.md shows."""
    run = {kind: of_damaged(kind, EACH, seed=2) for kind in WHOLE}
    (PROJECT / "benchmarks" / "results" / "damage.json").write_text(json.dumps(run, indent=1) + "\n")

    assert sum(sum(counts.values()) for counts in run.values()) == 2_000
