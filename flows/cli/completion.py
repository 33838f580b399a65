"""Complete words of a command line: keys of --set, runs and known words; without servers, and silently.

Imports are inside the functions, since every command imports this module.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import typer

MOST = 50  # suggestions
Found = list[tuple[str, str]]  # what to type, and what it is


def silent(find: Callable[[typer.Context, str], Found]) -> Callable[[typer.Context, str], Found]:
    """Return the completion with no suggestions where it fails: an error would be printed over the prompt."""

    def completed(ctx: typer.Context, incomplete: str) -> Found:
        with suppress(Exception):
            return [(word, about) for word, about in find(ctx, incomplete) if word.startswith(incomplete)][:MOST]
        return []

    return completed


@silent
def keys(ctx: typer.Context, incomplete: str) -> Found:
    """Return the keys of a config as `section.key=`."""
    from configs.schema import Config, Section

    found = []
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            found += [(f"{name}.{key}=", each.description or "") for key, each in section.model_fields.items()]
        elif name != "version":
            found.append((f"{name}=", field.description or ""))
    return found


@silent
def runs(ctx: typer.Context, incomplete: str) -> Found:
    """Return the aliases of models and the newest runs of the workspace's own database."""
    from tasks.tracking.database_paths import DATABASE
    from tasks.tracking.glance import glance

    names, newest = glance(_workspace(ctx) / DATABASE, MOST)
    return [("champion", "the model in use"), *((f"{name}@champion", "") for name in names), *newest]


@silent
def models(ctx: typer.Context, incomplete: str) -> Found:
    """Return the registered models of the workspace's own database."""
    from tasks.tracking.database_paths import DATABASE
    from tasks.tracking.glance import glance

    return [(name, "") for name in glance(_workspace(ctx) / DATABASE, 0)[0]]


@silent
def words(ctx: typer.Context, incomplete: str) -> Found:
    """Return words of the last retraining, the most frequent first."""
    from flows.query import vectors

    known = vectors.load(_workspace(ctx)).words
    return [(word, "") for word in known if word.startswith(incomplete)]


def _workspace(ctx: typer.Context) -> Path:
    from configs.workspaces import VARIABLE, default, folder

    asked = ctx.params.get("workspace")
    return folder(asked) if asked and not os.environ.get(VARIABLE) else default()
