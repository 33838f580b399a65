"""The objectives: how the probability of a word becomes a loss with gradients.

May import: examples, sparse, vocabulary. Read in this order: softmax, logistic, negative_sampling, huffman,
hierarchical_softmax.
"""
