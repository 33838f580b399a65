"""What a run holds: parameters and tags, datasets, curves, vectors; and the columns in which MLflow shows them."""
