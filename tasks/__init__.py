"""WHERE: one stage per file. Each reads datasets, calls the core, and writes a dataset; an underscore is no stage.

May import: configs, w2v_core, and the underscored files; never another stage.
Read in this order: ingestion, tokenization, vocabulary, windows, training, evaluation, publication.
"""

import os

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # before pyarrow is imported: see _memory
