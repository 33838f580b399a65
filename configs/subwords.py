"""What `training.max_n`, vectors of subwords, needs of the other keys of [training], and when its own do nothing."""

from typing import Any

SUBWORDS = ("max_n", "min_n", "buckets")  # keys of [training] that words without subwords do not use


def contradiction(training: Any, obstacle: str) -> str:
    """Return what in [training] contradicts its subwords; "" if nothing does. `obstacle` is why there are no blocks."""
    if training.max_n == 0:
        defaults = type(training).model_fields
        idle = [key for key in SUBWORDS[1:] if getattr(training, key) != defaults[key].default]
        if not idle:
            return ""
        return _said(f"max_n above 0, for {idle[0]}", "max_n = 0", "Set training.max_n too, such as 6.")
    if training.min_n > training.max_n:
        return _said("min_n up to max_n", f"min_n = {training.min_n}, max_n = {training.max_n}", "Change one of them.")
    if training.objective != "negative_sampling":
        obstacle = f'objective = "{training.objective}"'
    others = {
        f"replicas = {training.replicas}": training.replicas > 1,
        f"warm_start = {training.warm_start!r}": training.warm_start is not None,
        f"frozen = {training.frozen!r}": training.frozen is not None,
        f"keep_epochs = {training.keep_epochs}": training.keep_epochs > 1,
    }
    found = obstacle or next((each for each, there in others.items() if there), "")
    if not found:
        return ""
    return _said(
        "max_n = 0, or a training that can have subwords: negative sampling on blocks of windows (shared_negatives, "
        "and a batch_size of at least block_length), by one model, from new vectors, only the last of which are kept",
        f"max_n = {training.max_n} with {found}",
        "Change one of them.",
    )


def _said(expected: str, found: str, way: str) -> str:
    return f"expected  {expected}\nfound     {found}\n{way}"
