"""The fast path: the same objectives as dense matrix products over blocks of windows.

May import: objectives, vocabulary, training and what these import. Read in this order: blocks, stratified,
negative_sampling, hierarchical_softmax, composition, pipelined.
"""
