"""Read tables of word vectors, compare them, and write them in the formats of other programs."""
