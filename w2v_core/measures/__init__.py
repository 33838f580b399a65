"""The measures: what vectors are worth, how far a figure can be trusted, how two spaces or two corpora differ.

May import: all of the core. Read in this order: likelihood, similarity, bootstrap, paired, procrustes, categories,
corpora.
"""
