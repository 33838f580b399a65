"""WHAT: word2vec in NumPy. Takes and returns numbers and arrays; knows no file, framework, log or progress bar.

May import: NumPy, SciPy's sparse product, threadpoolctl.
Read in this order: windows, vocabulary, model; skip_gram, cbow; softmax, negative_sampling, hierarchical_softmax;
problems, sparse, batches, training, learners; and the fast path, derived where it stands: blocks, noise_blocks,
tree_blocks, flight.
"""
