"""The forms of words with the standard library are those of the pipeline."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text import normalization, plain
from tasks.text.normalization import Rules

RULES = [
    Rules(), Rules(lowercase=False), Rules(digits="drop"), Rules(digits="spell"), Rules(lowercase=False, kind="items"),
]  # fmt: skip
SAMPLES = [
    "The naïve one's 42 cats", "ΟΔΥΣΣΕΥΣ σε Ὀδυσσεύς Σ Σ.", "İstanbul I\u0307 ılık", "sof\u00adt \ufeffmark",
    "Straße ẞ ﬁ Å",
    "नमस्ते दुनिया", "می\u200cخواهم \u200c\u200d x", "e\u0301 \u0301a ́ b", "٣ ४ ² ½ x9\u0301y 1\u200d2", "a_b \ud800 c-d",
]  # fmt: skip


def both(text: str, rules: Rules) -> tuple[list[str], list[str]]:
    return plain.forms(text, plain.Rules(rules._asdict())), normalization.forms([text], rules)[0]


@pytest.mark.parametrize("rules", RULES)
def test_forms_are_those_of_the_pipeline(rules: Rules) -> None:
    """Case, composition, invisible characters, joiners, marks, the final sigma and digits."""
    for text in SAMPLES:
        assert both(text, rules)[0] == both(text, rules)[1]


@pytest.mark.parametrize("rules", RULES[:4])
@given(st.text(st.sampled_from("aAσΣς\u0301\u0307\u200c\u00ad \u0130I.9٣²éÉ_東\u0e01\ufeff"), max_size=12))
def test_forms_are_those_of_the_pipeline_for_any_text(rules: Rules, text: str) -> None:
    """Both agree on every mixture of what is special."""
    ours, theirs = both(text, rules)

    assert ours == theirs


def test_rows_are_those_of_the_pipeline() -> None:
    """Words as written come first, then their form, then a phrase; without rules in lower case."""
    words, asked = ["alpha", "Beta", "new_york", "42"], ["ALPHA", "Beta", "beta", "New York", "42", "zebra"]
    rules = Rules()
    for given_rules, known in ((rules, plain.Rules.loads(rules.dumps())), (None, None)):
        expected = normalization.Lookup(words, given_rules).rows(asked)

        assert plain.Lookup(words, known).rows(asked) == expected


def test_it_needs_the_standard_library_alone() -> None:
    """Imported alone, it brings neither NumPy nor pyarrow."""
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); sys.exit(bool({'numpy', 'pyarrow'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-I", "-c", code, plain.__file__]).returncode == 0
