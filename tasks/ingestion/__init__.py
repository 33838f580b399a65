"""text → documents: find the sources, read what is new in them, and decide which documents are kept."""
