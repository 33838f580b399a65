"""Tables of word vectors: read, written in the formats of other programs, compared."""
