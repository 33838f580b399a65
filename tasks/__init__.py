"""Tasks: the stages of a retraining, and what follows from their results. A stage is a module or a package of its name.

A stage reads datasets, calls the core and writes a dataset. May import: configs, w2v_core, and floors below (see the
layers in pyproject.toml); no stage imports another, and no module of tasks imports flows.
Read in this order: ingestion, tokenization, vocabulary, windows, training, evaluation; publication, promotion;
engine (how a stage runs), tracking (MLflow); then the others as needed.
"""

import os

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # before pyarrow is imported: see engine/allocator.py
