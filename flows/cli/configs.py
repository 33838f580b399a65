"""Commands for config files: write one for a text, check one, show its values, describe all keys to an editor."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from configs.experiments import QUICKSTART
from flows.cli.app import ConfigFile, Placed, Settings, app, load

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class What(StrEnum):
    """What `w2v config` does."""

    show = "show"
    check = "check"
    schema = "schema"


@app.command()
def init(
    source: Annotated[str, typer.Argument(help="A file, folder, glob, s3://bucket/prefix or URL: the text.")],
    settings: Settings = None,
    items: Annotated[
        bool, typer.Option("--items", help="The source holds items: sessions, baskets or playlists.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The config file; by default NAME.toml.")
    ] = None,
    workspace: Placed = None,
) -> None:
    """Look at a text, and write a commented config for it.

    Shows the first documents as words. Settings given by --set are written too, such as the column that holds the
    text. With --items, the columns of sessions, items and times are found by their usual names. An existing file is
    never overwritten.
    """
    from flows.cli.output import beginning, tables

    beginning.write(tables.console, source, list(settings or []), output, workspace, items=items)


@app.command()
def config(
    what: Annotated[What, typer.Argument(help="What to do.")],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
) -> None:
    """Show the values of a config and their origins, check it, or print the schema for editors.

    `show` prints all values as TOML, each with its origin. `check` reads the config, and exits with 2 if it is wrong.
    `schema` prints the JSON Schema of all keys; an editor completes and checks a TOML file that begins with
    `#:schema FILE`.
    """
    if what is What.schema:
        from configs.schema import Config

        print(
            json.dumps(
                {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Config.model_json_schema(), indent=1
            )
        )
        return
    loaded = load(config, settings, workspace)
    if what is What.check:
        print(f"✓ {config}: experiment {loaded.name!r}, all keys and values are valid")
        return
    from configs.experiments import origins
    from configs.explained import listed

    print(listed(loaded, origins(config, settings or [], workspace)), end="")
