"""How a probability becomes a loss: softmax, negative sampling, hierarchical softmax."""
