"""The engine: stages, the store, checkpoints, progress, threads, locks. It moves data and computes no result.

May import: configs, tasks.datasets.files, tasks.display, tasks.errors; never w2v_core. No stage's key covers it.
Read in this order: stage, store, outputs, code_digest; checkpoints, leases; progress, waiting, retries; the rest as
needed.
"""
