"""Names that this project writes into MLflow, and reads there."""

LOSS = "loss/held_out"  # J(θ): the only score of which less is better
GROUPS = ["similarity", "analogy", "domain"]  # of scores, by what judges; the part before a score's first slash
SPEED = "speed/words_per_second"
KEEP = "keep"  # the tag by which a person pins a run
