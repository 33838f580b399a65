"""WHAT: word2vec in NumPy. Takes and returns numbers and arrays; knows no file, framework, log or progress bar.

May import: NumPy, SciPy's sparse product, threadpoolctl.
Read in this order: windows, vocabulary, objectives, then training; blocks is the fast path, derived where it stands.
"""
