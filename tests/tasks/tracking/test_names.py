"""The names in MLflow: each is written down once, with its meaning, and never changes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.tracking import names
from tests.support.paths import PROJECT

HOME = PROJECT / "tasks" / "tracking" / "names.py"
KNOWN = names.METRICS | names.TAGS | names.PARAMETERS | names.ARTIFACTS
TALK_TO_MLFLOW = {"tag", "metrics", "fetched", "text", "document", "vectors_of", "set_tag", "delete_tag", "get"}
HOLD_NAMES = {"tags", "metrics", "params"}


def sources() -> Iterator[Path]:
    for folder in ("flows", "tasks", "benchmarks"):
        yield from (path for path in sorted((PROJECT / folder).rglob("*.py")) if path != HOME)


def literals(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Texts that can only be names: those with a dot, slash or blank, and single words where MLflow is spoken to."""
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values), node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            if re.search(r"\w[./ ]", node.value):
                yield node.value, node.lineno
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):  # folder / "scores"
            yield from _single(node.right)
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr in HOLD_NAMES
        ):
            yield from _single(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TALK_TO_MLFLOW:
            held = getattr(node.func.value, "attr", "")
            if node.func.attr != "get" or held in HOLD_NAMES:
                for argument in node.args:
                    yield from _single(argument)


def _single(node: ast.AST | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
    elif isinstance(node, ast.Dict):
        for key in node.keys:
            yield from _single(key)


PATTERN = re.compile("|".join(re.sub(r"\\{\w+\\}", r".+", re.escape(name.rstrip("/"))) for name in KNOWN))


OTHERS = {("tasks/vectors/huggingface.py", "config.json")}  # a name that another program gave, by chance the same


def test_each_name_is_a_literal_once() -> None:
    """No module but `names` has a tag, metric, parameter or artifact folder of MLflow's as a literal."""
    found = [
        f"{path.relative_to(PROJECT)}:{line}: {text!r}"
        for path in sources()
        for text, line in literals(ast.parse(path.read_text(encoding="utf-8")))
        if PATTERN.fullmatch(text.rstrip("/")) and (path.relative_to(PROJECT).as_posix(), text) not in OTHERS
    ]

    assert not found


@pytest.mark.parametrize(
    "code",
    [
        'run.tag({"start": 1})', 'tags.get("x"); record.data.tags["claim"]', 'record.data.tags.get("keep")',
        'folder / "scores"', 'name = "loss/held_out"', 'name = f"interval/{score}.low"', 'x = "similarity/{}"',
        'run.fetched("manifests")', 'x = "how to continue"', 'run.metrics({"corpus/outside": 1}, 0)',
    ],
)  # fmt: skip
def test_a_literal_is_found(code: str) -> None:
    """The look for literals sees each way in which a name is used."""
    assert any(PATTERN.fullmatch(text.rstrip("/")) for text, _ in literals(ast.parse(code)))


def test_every_name_has_a_meaning() -> None:
    """Each text of `names` was entered with its meaning, and no two constants have the same place and name."""
    constants = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}

    assert constants == {name.removesuffix("/") for name in KNOWN}
    assert all(len(meaning) > 3 for meaning in KNOWN.values())


def test_the_names_of_scores_do_not_change() -> None:
    """They are in no stage's key: another name needs another key of evaluation, so the change is made on purpose."""
    assert sorted(names.METRICS) == SCORES


SCORES = [
    "alignment/cosine_after", "alignment/cosine_before", "analogy/{set}.3cosadd", "analogy/{set}.3cosmul",
    "baseline/{set}.over_{baseline}", "baseline/{set}.{baseline}", "catalogue/{set}", "corpus/divergence",
    "corpus/documents_added", "corpus/outside", "corpus/tokens_added", "coverage/{set}", "deviation/{score}",
    "domain/{set}.category", "domain/{set}.closer", "interval/{score}.high", "interval/{score}.low", "loss/held_out",
    "loss/held_out_per_pair", "loss/training", "sessions/{set}.hit_rate", "sessions/{set}.mrr", "sessions/{set}.ndcg",
    "similarity/{set}", "speed/words_per_second", "training/learning_rate", "vectors/mean_cosine",
]  # fmt: skip
