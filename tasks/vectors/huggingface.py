"""A folder in the form of Hugging Face's Hub, which model2vec and sentence-transformers load as a static embedding.

    model.safetensors   `embeddings`, (V + 1, D) float32: row i is word i; the last row is zero, for unknown words
    tokenizer.json      how a text becomes rows, for `tokenizers`: the rules of the words, then WordLevel
    config.json         what model2vec asks for
    modules.json, config_sentence_transformers.json    what sentence-transformers asks for
    README.md           the model card

A text's vector is the mean of its words' vectors, as they were trained. Source: `load_pretrained` of model2vec,
`StaticEmbedding` of sentence-transformers, and the format of safetensors: the length of a JSON header as uint64, the
header, the numbers.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from tasks.text.normalization import Rules
from tasks.vectors import tokenizer
from tasks.vectors.about import NOTHING, About, card
from tasks.vectors.writing import Counts, Table

WEIGHTS, TOKENIZER, CONFIG, CARD = "model.safetensors", "tokenizer.json", "config.json", "README.md"
FILES = (WEIGHTS, TOKENIZER, CONFIG, "modules.json", "config_sentence_transformers.json", CARD)
TENSOR = "embeddings"
TAGS = ["word2vec", "static-embeddings", "model2vec", "sentence-transformers"]
USES = """
```python
from model2vec import StaticModel
model = StaticModel.from_pretrained("FOLDER")

from sentence_transformers import SentenceTransformer
model = SentenceTransformer("FOLDER")

vectors = model.encode(["a text", "another one"])  # the mean of the words' vectors
```

Or without either: `safetensors.numpy.load_file("FOLDER/model.safetensors")["embeddings"]` has a row for each word, and
`tokenizers.Tokenizer.from_file("FOLDER/tokenizer.json")` gives the rows of a text. The last row is zero: unknown words.
"""


def write(
    folder: Path, words: list[str], counts: Counts, table: Table, rules: Rules | None = None, about: About = NOTHING
) -> list[Path]:
    """Write the files into the folder. Raises InputError for an empty word and, of items, one with a line's end."""
    _dump(folder / TOKENIZER, tokenizer.of(words, rules))
    _write_weights(folder / WEIGHTS, table, about)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "normalize": False,
        "seq_length": 1_000_000,
        "hidden_dim": table.shape[1],
        "embedding_dtype": "float32",
        "w2v": about.origin,
    }
    _dump(folder / CONFIG, config)
    _dump(
        folder / "modules.json",
        [{"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}],
    )
    similar: dict[str, Any] = {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    _dump(folder / "config_sentence_transformers.json", similar)
    said = card(about, words, counts, table.shape[1], rules, USES, TAGS)
    (folder / CARD).write_text(said, encoding="utf-8")
    return [folder]


def _write_weights(path: Path, table: Table, about: About) -> None:
    words, size = table.shape
    tensor = {"dtype": "F32", "shape": [words + 1, size], "data_offsets": [0, (words + 1) * size * 4]}
    head = json.dumps({"__metadata__": {"format": "pt", "w2v": about.origin}, TENSOR: tensor}).encode()
    head += b" " * (-len(head) % 8)  # so that the numbers are aligned
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(head)) + head)
        stream.write(np.ascontiguousarray(table, "<f4").data)
        stream.write(bytes(size * 4))


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
