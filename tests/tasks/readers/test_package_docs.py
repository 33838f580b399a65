"""installed-docs reads the prose of installed packages without importing them, wherever they are installed."""

import io
from importlib import metadata
from pathlib import Path

import pytest

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.ingestion.sources import source_digests, sources
from tasks.ingestion.stage import ingestion
from tasks.readers.package_docs import docstrings

MODULE = b'''"""About the module.

    Indented further."""
import nothing_that_exists

if True:
    def function():
        """About the function."""
        def inner(): "About the inner one."
        return "no docstring"

class Class:
    """About the class."""
    async def method(self):
        """About the method. \\d"""
    plain = 1
    """Not a docstring to Python."""
'''


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one distribution, `demo`."""
    return install(tmp_path / "site-packages", monkeypatch)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "demo/core.py": MODULE, "demo/README.md": b"About demo.", "demo/logo.png": b"\0", "demo/usage.rst": b"Use it.",
        "demo/tests/test_core.py": b'"""About a test."""', "demo/test_more.py": b'"""More tests."""',
        "demo-1.0.dist-info/LICENSE.txt": b"A licence.", "demo-1.0.dist-info/METADATA": b"Name: demo\nVersion: 1.0\n",
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    record = "".join(f"{name},sha256={len(content):043d},{len(content)}\n" for name, content in files.items())
    (folder / "demo-1.0.dist-info" / "RECORD").write_text(record + "../../../bin/demo.txt,,\ndemo/core.pyc,,\n")
    monkeypatch.syspath_prepend(folder)
    return folder


DEMO = Ingestion(source="installed-docs", distributions=["demo"])


def test_docstrings_in_order() -> None:
    """Docstrings of modules, classes and functions come in order with their lines; other strings are ignored."""
    assert [(document.source, document.text) for document in docstrings(io.BytesIO(MODULE), "demo/core.py", DEMO)] == [
        ("demo/core.py:1", "About the module.\n\nIndented further."),
        ("demo/core.py:8", "About the function."),
        ("demo/core.py:9", "About the inner one."),
        ("demo/core.py:13", "About the class."),
        ("demo/core.py:15", "About the method. \\d"),
    ]


@pytest.mark.parametrize("source", [b"def broken(:\n", b"\0", b"# coding: no-such\n", b"x = " + b"(" * 2000])
def test_a_source_that_cannot_be_parsed_is_counted(source: bytes) -> None:
    """A source that cannot be parsed, such as a template, is one undecodable document."""
    [document] = docstrings(io.BytesIO(source), "demo/broken.py", DEMO)

    assert (document.source, document.text) == ("demo/broken.py", None)


def test_long_chains_are_walked() -> None:
    """A thousand branches, nested a thousand deep in the tree, are walked."""
    chain = "if x: pass\n" + "elif x: pass\n" * 900 + 'else:\n    def last():\n        "Found."\n'

    assert [document.text for document in docstrings(io.BytesIO(chain.encode()), "a.py", DEMO)] == ["Found."]


def test_a_distribution_becomes_documents(site_packages: Path, context: Context) -> None:
    """Docstrings and text files of the package are read; its tests and licences are not."""
    documents = ingestion.compute(context=context, config=DEMO)

    table = contracts.read(documents.files()[0], contracts.DOCUMENTS)
    assert table["source"].to_pylist() == [
        "demo/README.md", "demo/core.py:1", "demo/core.py:8", "demo/core.py:9", "demo/core.py:13", "demo/core.py:15",
        "demo/usage.rst",
    ]  # fmt: skip
    assert table["text"][0].as_py() == "About demo."


def test_the_place_of_installation_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installations of the same version give the same documents."""
    digests = []
    for folder in ("here", "there"):
        with monkeypatch.context() as patch:
            install(tmp_path / folder, patch)
            assert all(source.path.is_relative_to(tmp_path / folder) for source in sources(DEMO))
            digests.append(source_digests(DEMO))

    assert digests[0] == digests[1]
    assert digests[0][0]["source"] == "installed-docs: demo 1.0"


def test_another_version_counts(site_packages: Path) -> None:
    """Digests come from the distribution's list of files, so that planning reads no file."""
    before = source_digests(DEMO)
    record = site_packages / "demo-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace(f"sha256={len(MODULE):043d}", f"sha256={1:043d}"))

    assert source_digests(DEMO) != before


def test_a_real_distribution_is_read(context: Context) -> None:
    """The documents of pydantic include the docstring of its best-known class."""
    config = Ingestion(source="installed-docs", distributions=["pydantic"], max_rejected_fraction=0.5)
    documents = ingestion.compute(context=context, config=config)

    texts = [
        text for file in documents.files() for text in contracts.read(file, contracts.DOCUMENTS)["text"].to_pylist()
    ]
    assert "A base class for creating Pydantic models" in " ".join(texts)
    assert metadata.version("pydantic") in documents.manifest.inputs["outside"][0]["source"]


def test_what_is_not_installed_is_named() -> None:
    """The error names the distribution and the nearest installed one."""
    config = Ingestion(source="installed-docs", distributions=["numpy", "pandsa"])

    with pytest.raises(InputError) as error:
        sources(config)

    assert str(error.value) == (
        "installed-docs: the distribution 'pandsa' is not installed\ndid you mean 'pandas'?\n"
        "Install it, or take it out of ingestion.distributions."
    )
