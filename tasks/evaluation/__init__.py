"""vectors → evaluation: the judges, their datasets, and scores with confidence intervals."""
