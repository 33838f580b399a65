"""text → documents: the sources, what of them is new, and which documents are kept."""
