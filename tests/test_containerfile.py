"""The image: the Containerfile instruction by instruction, and its steps by hand, without a container engine."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from flows.service.units import COMPOSE
from tests.support.paths import PROJECT

FILE = PROJECT / "Containerfile"
KNOWN = {"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "CMD"}
NOBODY = 54321  # a number without a name, as `--user` may give


class Instruction(NamedTuple):
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def instructions() -> list[Instruction]:
    """Return the file's instructions, in order; a line that ends in a backslash goes on."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def of(name: str) -> list[Instruction]:
    return [each for each in instructions() if each.name == name]


def copied() -> list[str]:
    """Return the sources of all COPY instructions."""
    return [source for each in of("COPY") for source in each.words[:-1]]


def test_every_instruction_is_understood() -> None:
    """The base comes first and is Python's own; nothing is fetched by another way than pip with hashes."""
    names = [each.name for each in instructions()]
    runs = " && ".join(each.text for each in of("RUN")).split(" && ")

    assert set(names) == KNOWN
    assert names[:2] == ["ARG", "FROM"]
    assert re.fullmatch(r"python:\$\{PYTHON\}-slim", of("FROM")[0].text)
    assert re.fullmatch(r"PYTHON=3\.\d+", of("ARG")[0].text)
    assert [each.split()[0] for each in runs] == ["pip", "pip", "python", "install"]
    assert {"--require-hashes", "--no-deps"} <= set(runs[0].split())
    assert {"--no-build-isolation", "--no-deps"} <= set(runs[1].split())


def test_it_runs_as_nobody_special() -> None:
    """The last user is a number other than root's, and the last folder can be written by all."""
    names = [each.name for each in instructions()]
    ((user, _),) = [each.text.split(":") for each in of("USER")]
    (folders,) = [each.words[-2:] for each in of("RUN") if each.words[0] == "install"]

    assert int(user) > 0
    assert "RUN" not in names[names.index("USER") :]
    assert of("WORKDIR")[-1].text in folders
    assert dict(word.split("=") for each in of("ENV") for word in each.words)["W2V_WORKSPACE"] in folders
    assert yaml.safe_load(of("CMD")[0].text) == ["w2v", "--help"]


def test_it_copies_what_the_application_needs() -> None:
    """Each package of the wheel is copied, the lock before the code that changes more often; no test, no document."""
    packages = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    wanted = {each.removesuffix("*") for each in packages["include"]}

    assert copied()[0] == "requirements.lock"
    assert set(copied()) == {*wanted, "requirements.lock", "pyproject.toml", "README.md", "LICENSE"}
    assert all((PROJECT / each).exists() for each in copied())


def test_nothing_else_is_sent_to_the_build() -> None:
    """The ignore file lets what is copied through, and nothing else: an environment has a gigabyte."""
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())
    assert [line for line in lines[1:] if not line.startswith("!")] == ["**/__pycache__"]


def test_every_compose_file_builds_this_image() -> None:
    """One recipe, for the cluster, the service, and what `w2v unit compose` prints."""
    texts = [page.read_text() for page in sorted((PROJECT / "docs" / "how-to").glob("*.compose.yaml"))]

    assert len(texts) == 2
    assert all("context: ../.., dockerfile: Containerfile" in text and "inline" not in text for text in texts)
    assert "dockerfile: Containerfile" in COMPOSE
    assert "inline" not in COMPOSE


def reached(program: Path) -> bool:
    """Return True if other accounts reach the program."""
    return program.exists() and all(place.stat().st_mode & 0o001 for place in program.resolve().parents)


def base() -> Path:
    """Return a Python that other accounts reach, as they do in an image; else ours."""
    ours = Path(sys.base_prefix) / "bin" / "python3"
    return next(filter(reached, (ours, Path("/usr/bin/python3"))), ours)


class ByHand:
    """Follows the instructions in a folder in place of an image; the environment in it stands for the base."""

    def __init__(self, root: Path) -> None:
        self.root, self.place = root, root
        subprocess.run([base(), "-m", "venv", root / "python"], check=True)
        self.environment = {"PATH": f"{root}/python/bin{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8"}
        self.environment |= {name: word for name, word in os.environ.items() if name.startswith("PIP_")}

    def here(self, text: str) -> str:
        """Return the text with the image's folders as they are here."""
        return re.sub(r"(?<![\w.])/(srv|workspace|work|tmp)\b", rf"{self.root}/\1", text)

    def follow(self, each: Instruction) -> None:
        if each.name == "WORKDIR":
            self.place = Path(self.here(each.text))
            self.place.mkdir(parents=True, exist_ok=True)
        elif each.name == "ENV":
            self.environment |= dict(self.here(word).split("=", 1) for word in each.words)
            self.environment.pop("PIP_NO_CACHE_DIR", None)  # what was fetched before is good enough here
        elif each.name == "COPY":
            for source in each.words[:-1]:
                self._copy(PROJECT / source, self.place / each.words[-1])
        elif each.name == "RUN":
            subprocess.run(["sh", "-euc", self.here(each.text)], cwd=self.place, env=self.environment, check=True)

    def _copy(self, source: Path, target: Path) -> None:
        if source.is_dir():  # its content, as COPY does
            shutil.copytree(source, target, ignore=lambda _, names: [n for n in names if fnmatch(n, "__pycache__")])
        else:
            shutil.copy(source, target)

    def run(self, *words: str) -> str:
        """Run a command as the image would for `--user`; only root can be another, if that one reaches Python."""
        root = os.geteuid() == 0 and reached(base())
        number = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
        done = subprocess.run(words, cwd=self.place, env=self.environment, capture_output=True, text=True, **number)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)


@pytest.fixture(scope="module")
def image() -> Iterator[ByHand]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # another number has to reach it
        (Path(folder) / "tmp").mkdir()
        (Path(folder) / "tmp").chmod(0o1777)
        built = ByHand(Path(folder))
        for each in instructions():
            built.follow(each)
        yield built


@pytest.mark.long
def test_its_steps_make_an_image_that_retrains(image: ByHand, corpus: Path) -> None:
    """Every step runs in a clean folder; a number without a name then retrains there and asks for a neighbour."""
    shutil.copy(corpus, image.place / "topics.txt")
    (image.place / "topics.txt").chmod(0o644)
    words = ["ingestion.source=topics.txt", "ingestion.text_documents=line", "vocabulary.min_count=1",
             "vocabulary.subsample=0", "training.vector_size=8", "training.epochs=2", "training.batch_size=32",
             "training.damping=0.5"]  # fmt: skip
    version = image.run("w2v", "--version")
    said = image.run("w2v", "retrain", *(word for each in words for word in ("--set", each)))
    listed = image.run("pip", "list", "--format", "freeze")

    assert version.startswith("w2v ")
    assert "MLflow run" in said
    assert image.run("w2v", "neighbors", "seaa").split()[0] == "seaa"
    assert (image.root / "workspace" / "mlflow.db").exists()
    assert not re.search(r"^(pytest|mypy|ruff|selenium|mkdocs)\b", listed, re.MULTILINE)
    assert image.run("python", "-c", "import flows; print(flows.__file__)").startswith(f"{image.root}/srv/w2v/")
