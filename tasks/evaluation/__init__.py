"""vectors → evaluation: the judges, their datasets, and figures with intervals."""
