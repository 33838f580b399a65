"""Names that this project writes to MLflow and reads from it."""

LOSS = "loss/held_out"  # J(θ): the only score where less is better
GROUPS = ["similarity", "analogy", "domain"]  # of scores, by the kind of test; the part before a score's first slash
SPEED = "speed/words_per_second"
KEEP = "keep"  # the tag by which a person pins a run
