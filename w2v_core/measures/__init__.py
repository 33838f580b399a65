"""What vectors are worth: likelihood, similarity, intervals, comparisons of spaces and corpora."""
