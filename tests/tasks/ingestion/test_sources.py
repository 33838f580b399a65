"""A path, folder or glob gives files in a fixed order, with digests that reveal every change."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.ingestion.sources import source_digests, sources
from tests.support.paths import PROJECT


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "part/c.jsonl.gz", "part/wiki_00", "part/d.zip", "part/x.png", ".git/HEAD"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    return tmp_path


def names(*entries: object, **settings: object) -> list[str]:
    return [source.name for source in sources(Ingestion(source=[str(entry) for entry in entries], **settings))]


def test_a_folder_is_read_whole_and_sorted(corpus: Path) -> None:
    """Subfolders are read, too, sorted by path; pictures and hidden folders are skipped."""
    assert names(corpus) == ["a.txt", "b.txt", "part/c.jsonl.gz", "part/d.zip", "part/wiki_00"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("[b-z].txt", ["b.txt"]),
        ("**/*.gz", ["part/c.jsonl.gz"]),
        ("p*", ["part/c.jsonl.gz", "part/d.zip", "part/wiki_00"]),
        ("part/*.png", ["x.png"]),
        ("*", ["a.txt", "b.txt", "part/c.jsonl.gz", "part/d.zip", "part/wiki_00"]),
    ],
)
def test_globs(corpus: Path, pattern: str, expected: list[str]) -> None:
    """Names are relative to the fixed part of the pattern; a suffix in the pattern is read, whatever it is."""
    assert names(corpus / pattern) == expected


def test_a_list_keeps_its_order(corpus: Path) -> None:
    """Documents follow the order of the user's list."""
    assert names(corpus / "part", corpus / "b.txt", corpus / "*.txt", duplicates="drop") == [
        "c.jsonl.gz", "d.zip", "wiki_00", "b.txt", "a.txt", "b.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("again", ["b.txt", "part/../b.txt", "", "b*"])
def test_a_file_named_twice_is_refused(corpus: Path, again: str) -> None:
    """Its lines would count twice; unless it is said what becomes of them."""
    with pytest.raises(
        InputError, match=r"^ingestion\.source\nexpected  each file once\nfound     .*b\.txt more than o"
    ):
        names(corpus / "b.txt", corpus / again)

    assert names(corpus / "b.txt", corpus / again, duplicates="keep").count("b.txt") == 2


def test_a_path_with_brackets_is_a_path(tmp_path: Path) -> None:
    """An existing file of this exact name is not treated as a pattern."""
    (tmp_path / "a[1].txt").write_text("x")

    assert names(tmp_path / "a[1].txt") == ["a[1].txt"]


def test_links_to_folders_are_not_followed(corpus: Path) -> None:
    """A link to a parent folder is not followed, which would never end."""
    (corpus / "part" / "loop").symlink_to(corpus)

    assert len(names(corpus)) == 5


@pytest.mark.parametrize("entry", ["", "*.txt", "**/*.txt", "p*"])
def test_links_that_lead_out_are_refused(corpus: Path, tmp_path_factory: pytest.TempPathFactory, entry: str) -> None:
    """A link out of a watched folder is refused, so that its writers cannot choose other files."""
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("not for everyone")
    (corpus / "part" / "link.txt").symlink_to(secret)
    (corpus / "link.txt").symlink_to(secret)

    with pytest.raises(
        InputError, match=r"/link\.txt leads out of .*\nexpected .*\nfound     .*/secret\.txt\nPut a copy"
    ):
        names(corpus / entry)


def test_a_folder_that_is_a_link_leads_out_too(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A link to a folder that a pattern matches is refused."""
    (tmp_path_factory.mktemp("elsewhere") / "secret.txt").write_text("x")
    (corpus / "parts").symlink_to(tmp_path_factory.getbasetemp(), target_is_directory=True)

    with pytest.raises(InputError, match="leads out of"):
        names(corpus / "part*")


def test_links_that_stay_inside_or_are_named_are_followed(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Links within the folder, and links that the config names, are followed."""
    links = tmp_path_factory.mktemp("links")
    (corpus / "c.txt").symlink_to("a.txt")
    (links / "file.txt").symlink_to(corpus / "a.txt")
    (links / "folder").symlink_to(corpus, target_is_directory=True)

    assert names(links / "folder" / "*.txt", links / "file.txt") == ["a.txt", "b.txt", "c.txt", "file.txt"]
    assert len(names(links / "folder")) == 6


@pytest.mark.parametrize(("make", "fault"), [("link", "is a link to nothing"), ("pipe", "is a pipe")])
def test_what_is_no_file_is_refused(corpus: Path, make: str, fault: str) -> None:
    """Pipes and dangling links are refused, since reading them would never end."""
    path = corpus / "odd.txt"
    path.symlink_to("gone.txt") if make == "link" else os.mkfifo(path)

    with pytest.raises(InputError, match=rf"odd\.txt {fault}\n"):
        names(corpus)


def test_a_name_that_is_not_utf8_can_be_written(tmp_path: Path) -> None:
    """A name that is not UTF-8 is converted, so that Parquet can store it."""
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("x")

    assert names(tmp_path) == ["caf\N{REPLACEMENT CHARACTER}.txt"]


@pytest.mark.parametrize("change", ["content", "size", "name", "new file"])
def test_every_change_changes_the_digest(corpus: Path, change: str) -> None:
    """A change that keeps the size changes the digest."""
    config = Ingestion(source=str(corpus))
    before = source_digests(config)
    match change:
        case "content":
            (corpus / "a.txt").write_text("CONTENT of a.txt")
        case "size":
            (corpus / "a.txt").write_text("short")
        case "name":
            (corpus / "a.txt").rename(corpus / "aa.txt")
        case "new file":
            (corpus / "c.txt").write_text("")
    after = source_digests(config)

    assert after != before
    assert [set(entry) for entry in after] == [{"source", "files", "bytes", "digest"}]


def test_the_manifest_stays_short(corpus: Path) -> None:
    """An entry of the config is one line in the manifest: number of files, bytes and one digest."""
    [entry] = source_digests(Ingestion(source=str(corpus / "*.txt")))

    assert (entry["source"], entry["files"], entry["bytes"]) == (f"{corpus}/*.txt", 2, 32)


def test_a_missing_path_names_the_nearest(corpus: Path) -> None:
    """The error for a misspelt path names the nearest existing one."""
    with pytest.raises(InputError) as error:
        names(corpus / "patr" / "c.jsonl.gz")

    assert str(error.value) == (
        f"{corpus}/patr/c.jsonl.gz: no such file or folder\n"
        f"The nearest name in {corpus} is part.\nSet ingestion.source to an existing path."
    )


def test_a_path_far_from_any_folder_has_no_nearest(tmp_path: Path) -> None:
    """If a parent folder is missing, the error names that folder."""
    (tmp_path / "a-folder").mkdir()

    with pytest.raises(InputError) as error:
        names(tmp_path / "data" / "texts" / "a.txt")

    assert str(error.value).splitlines()[1] == f"{tmp_path}/data does not exist."


def test_a_glob_without_matches_names_what_is_there(corpus: Path) -> None:
    """The error for a pattern without matches lists the files there."""
    with pytest.raises(InputError, match=r"2026-\*: no such file or folder\n.* contains \.git, a\.txt, b\.txt, part\."):
        names(corpus / "2026-*")


def test_a_folder_without_text_names_what_it_has(tmp_path: Path) -> None:
    """The error names the known suffixes, those found, and how to read them anyway."""
    (tmp_path / "a.pdf").write_text("x")

    with pytest.raises(InputError) as error:
        names(tmp_path)

    assert str(error.value) == (
        f"{tmp_path}: no file here is known as text\n"
        "expected  .arrow, .arrows, .csv, .feather, .ipc, .json, .jsonl, .md, .ndjson, .parquet, .pq, .rst, .tab, "
        ".tsv, .txt, also compressed or zipped, or names without a suffix\n"
        "found     .pdf\nName such files one by one or with a glob to read them as text."
    )


def test_a_download_needs_a_digest() -> None:
    """A URL without a digest is refused, since the same config must mean the same bytes."""
    with pytest.raises(
        InputError, match=r"^http://host/a\.txt: a download needs a digest(?s:.*)expected  ingestion\.sha256"
    ):
        names("http://host/a.txt")


@pytest.mark.parametrize("url", ["ftp://host/a.txt", "file:///etc/passwd"])
def test_other_protocols_are_refused(url: str) -> None:
    """Other protocols than http, https and s3 are refused."""
    with pytest.raises(
        InputError, match=rf"^{url}: cannot read from \w+://\nexpected  http://, https:// or s3://, or a path"
    ):
        names(url)


def test_a_download_is_known_by_its_digest_alone() -> None:
    """Planning makes no request."""
    config = Ingestion(source="https://host/folder/text8.zip?raw=1", sha256="0" * 64)

    [source] = sources(config)

    assert (source.name, source.digest) == ("text8.zip", "0" * 64)
    assert source.path == Path("downloads", "0" * 64, "text8.zip")


def test_nothing_installed_is_named() -> None:
    """`installed-docs` without a named package is refused."""
    with pytest.raises(
        InputError, match=r'installed-docs: no package is named\nexpected  ingestion\.distributions = \["numpy", …\]'
    ):
        names("installed-docs")


def as_workspace(folder: Path, *files: str) -> None:
    for name in (*files, "uses/8d2f00c1", "prefect/storage/0c1f", "service/log", "store/ingestion/k/manifest.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not a text of the user's")


@pytest.mark.parametrize("mark", ["mlflow.db", "uses/.lock", "prefect/prefect.db", "service/.lock"])
@pytest.mark.parametrize("pattern", ["", "**/*", "*"])
def test_a_workspace_is_no_source(corpus: Path, mark: str, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    """A workspace below the source is left out and logged, whatever created it."""
    before = names(corpus / pattern)
    as_workspace(corpus / "workspace", mark)
    as_workspace(corpus / "part" / "other", mark)

    with caplog.at_level("INFO", "w2v"):
        assert names(corpus / pattern) == before
    assert f"not a source: {corpus / 'workspace'}, a workspace of w2v (files left out: " in caplog.text
    assert f"not a source: {corpus / 'part' / 'other'}, a workspace of w2v (files left out: " in caplog.text


def test_a_store_is_no_source(corpus: Path) -> None:
    """A store outside a workspace is left out, too."""
    before = names(corpus)
    as_workspace(corpus / "copied")
    (corpus / "copied" / "store").rename(corpus / "kept")
    shutil.rmtree(corpus / "copied")

    assert names(corpus) == before


def test_text_beside_the_files_of_a_workspace_is_read(corpus: Path) -> None:
    """In a folder that is both workspace and source, only our own files are left out."""
    before = names(corpus / "**/*")
    as_workspace(corpus, "mlflow.db", "mlflow.db-wal", "latest.json", "matplotlib/fontlist-v390.json", "serve/netrc")

    assert names(corpus / "**/*") == before


def test_a_workspace_that_is_named_as_the_source_is_refused(tmp_path: Path) -> None:
    """The error says that all files belong to w2v, not that there are none."""
    as_workspace(tmp_path / "workspace", "mlflow.db")

    with pytest.raises(InputError, match="all files here belong to w2v itself"):
        names(tmp_path / "workspace")
    assert names(tmp_path / "workspace" / "service" / "log") == ["log"]


@pytest.mark.parametrize("make", ["pipe", "device", "socket", "loop"])
def test_what_has_no_end_is_refused(tmp_path: Path, make: str) -> None:
    """A pipe or device as the source is refused at once."""
    path = tmp_path / "odd"
    listening = socket.socket(socket.AF_UNIX)
    with listening:
        if make == "pipe":
            os.mkfifo(path)
        elif make == "device":
            path = Path("/dev/zero")
        elif make == "socket":
            listening.bind(str(path))
        else:
            path.symlink_to(path)
        said = {"loop": "no such file or folder\nIt is a link to nothing"}.get(make, f"is a {make}\nexpected  a file")

        with pytest.raises(InputError, match=said):
            names(path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("~nosuchuser/x.txt", "Could not determine home directory"),
        ("/tmp/**x", "Invalid pattern"),
        ("x" * 5000, "File name too long"),
        ("http://[::1", "Invalid IPv6 URL"),
    ],
)
def test_what_is_no_place_is_told(entry: str, said: str) -> None:
    """Any impossible path gives a clear error."""
    with pytest.raises(InputError, match=said):
        names(entry)


CODE = """
import os, sys
from configs.schema import Ingestion
from tasks.ingestion.sources import sources
from tasks.errors import InputError
if not os.geteuid():
    os.setgid(65534), os.setuid(65534)
try: print(sources(Ingestion(source=sys.argv[1])))
except InputError as error: print(error)
"""


@pytest.mark.parametrize("pattern", ["", "**/*.txt", "*/*.txt", "closed/a.txt"])
@pytest.mark.parametrize("closed", ["closed", "closed/a.txt"])
def test_what_may_not_be_read_is_told(tmp_path: Path, pattern: str, closed: str) -> None:
    """A file or subfolder without permission raises an error: part of a corpus is not the corpus."""
    corpus = Path(tempfile.mkdtemp())  # readable for another user, too
    try:
        (corpus / "closed").mkdir()
        (corpus / "closed" / "a.txt").write_text("text")
        (corpus / "b.txt").write_text("text")
        corpus.chmod(0o755)
        (corpus / closed).chmod(0)
        answer = subprocess.run(
            [sys.executable, "-c", CODE, corpus / pattern],
            capture_output=True,
            text=True,
            cwd=PROJECT,
        )
    finally:
        (corpus / "closed").chmod(0o755)
        shutil.rmtree(corpus)

    assert "cannot be read: Permission denied" in answer.stdout, answer.stderr
    assert f"{closed.rpartition('/')[2]}" in answer.stdout
