"""`w2v serve`: word vectors, neighbours and analogies over HTTP."""
