"""`w2v init`: look at a text, show how it is read, and write a config for it."""

import json
import re
import shlex
from pathlib import Path

from rich.console import Console

from configs.explained import template
from configs.loading import ConfigError, check_once, load
from configs.schema import Config
from configs.workspaces import placed
from flows.cli.app import prepare
from flows.cli.output.tables import say, table
from flows.planning import foresight
from tasks.datasets.files import write_whole
from tasks.ingestion import estimate

WORDS = 12  # shown of each document
EPOCHS = ((6e6, 20), (3e7, 10))  # (characters, epochs): a smaller text needs more epochs than the default
ENDING = re.compile(r"(\.[A-Za-z][A-Za-z0-9]{0,7})+$")


def write(console: Console, source: str, settings: list[str], output: Path | None, workspace: Path | None) -> None:
    """Print the first documents as words, and write the config file.

    Raises InputError if the source cannot be read, ConfigError if the file exists.
    """
    check_once(settings)
    name = name_of(source)
    file = output or Path(f"{name}.toml")
    if file.exists() or file.is_symlink():
        raise ConfigError(f"{file} exists already\nIt is not overwritten: name another with --output FILE.")
    named = [f"ingestion.source={json.dumps(source, ensure_ascii=False)}", *settings]
    config = load(None, placed(named, workspace))
    prepare(config)
    seen = estimate.look(config.ingestion, Path(config.runtime.workspace))
    if seen.corpus:
        _show(console, config, seen.corpus)
        named += _epochs(settings, seen.corpus.characters)
    else:
        say(console, "The text is not downloaded yet: the first `w2v retrain` downloads it.")
    if not any(setting.startswith("name=") for setting in settings):
        named.append(f"name={json.dumps(name)}")
    head = f"Word vectors from {source}. What is commented out has its default.\nAll keys: `w2v config show {file}`"
    write_whole(file, template(load(None, named), head).encode())
    say(console, f"\nwritten  {file}\nnext     w2v plan {shlex.quote(str(file))}")
    say(console, f"then     w2v retrain {shlex.quote(str(file))}")


def name_of(source: str) -> str:
    """Return a name for the experiment: that of the file or of the folder, without endings and wildcards."""
    parts = [part for part in source.split("?")[0].rstrip("/").split("/") if not set(part) & set("*[]") and part]
    last = parts[-1] if parts else "."
    name = Path(last).resolve().name if last in (".", "..", "~") else ENDING.sub("", last)
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "text"


def _show(console: Console, config: Config, corpus: estimate.CorpusSize) -> None:
    say(console, f"about {corpus.documents:,.0f} documents, {corpus.characters:,.0f} characters in all")
    say(console, "\nthe first documents, as words:")
    found = foresight.sampled(config)
    console.print(table([], [[name, " ".join(words[:WORDS]) or "(no word)"] for name, words in found]))


def _epochs(settings: list[str], characters: float) -> list[str]:
    if any(setting.startswith("training.epochs") for setting in settings):
        return []
    return [f"training.epochs={epochs}" for most, epochs in EPOCHS if characters < most][:1]
