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
from tasks.errors import MissingColumn
from tasks.ingestion import estimate

WORDS = 12  # shown of each document
EPOCHS = ((6e6, 20), (3e7, 10))  # (characters, epochs): a smaller text needs more epochs than the default
OF_ITEMS = ('tokenization.kind="items"', 'windows.window="document"')
USUAL = {
    "session_column": (
        "session visit",
        "basket order transaction invoice cart receipt playlist",
        "user customer visitor",
    ),
    "text_column": ("item", "product sku article track song movie film book page isbn stockcode description"),
    "time_column": ("time timestamp ts event_time datetime created_at date invoicedate",),
}  # names of columns that say what they hold, by rank, without `_id`
LISTS = "items basket products tracks songs movies events"
UNCLEAR = (
    "A table of events needs two columns: --set ingestion.session_column=… --set ingestion.text_column=… (the item),\n"
    "and ingestion.time_column, if it has one. A column of lists is ingestion.text_column alone."
)
ENDING = re.compile(r"(\.[A-Za-z][A-Za-z0-9]{0,7})+$")


def write(
    console: Console, source: str, settings: list[str], output: Path | None, workspace: Path | None, *, items: bool
) -> None:
    """Print the first documents as words, and write the config file.

    Raises InputError if the source cannot be read, ConfigError if the file exists or the columns are not clear.
    """
    if items:
        given = {setting.partition("=")[0] for setting in settings}
        settings = [*(each for each in OF_ITEMS if each.partition("=")[0] not in given), *settings]
    check_once(settings)
    name = name_of(source)
    file = output or Path(f"{name}.toml")
    if file.exists() or file.is_symlink():
        raise ConfigError(f"{file} exists already\nIt is not overwritten: name another with --output FILE.")
    named = [f"ingestion.source={json.dumps(source, ensure_ascii=False)}", *settings]
    config, seen, found = _looked(named, workspace)
    if seen.corpus:
        _show(console, config, seen.corpus, found)
        found += _epochs(settings, seen.corpus.characters)
    else:
        say(console, "The text is not downloaded yet: the first `w2v retrain` downloads it.")
    if not any(setting.startswith("name=") for setting in settings):
        found.append(f"name={json.dumps(name)}")
    what = "Vectors of items" if config.tokenization.kind == "items" else "Word vectors"
    head = f"{what} from {source}. What is commented out has its default.\nAll keys: `w2v config show {file}`"
    write_whole(file, template(load(None, [*named, *found]), head).encode())
    say(console, f"\nwritten  {file}\nnext     w2v plan {shlex.quote(str(file))}")
    say(console, f"then     w2v retrain {shlex.quote(str(file))}")


def _looked(named: list[str], workspace: Path | None) -> tuple[Config, estimate.Seen, list[str]]:
    """Return the config, the beginning of the source, and the settings for the columns that were found in it."""
    config = load(None, placed(named, workspace))
    prepare(config)
    place = Path(config.runtime.workspace)
    try:
        return config, estimate.look(config.ingestion, place), []
    except MissingColumn as missing:
        asked = any(setting.startswith("ingestion.") and "_column=" in setting for setting in named)
        if config.tokenization.kind != "items" or asked:
            raise
        found = columns_of(missing.columns)
        if not found:
            raise ConfigError(f"{missing}\n{UNCLEAR}") from missing
    config = load(None, placed([*named, *found], workspace))
    return config, estimate.look(config.ingestion, place), found


def columns_of(columns: list[str]) -> list[str]:
    """Return the settings for the columns of events or lists that have usual names; none if that is not clear.

    >>> columns_of(["ts", "user_id", "session_id", "product_id", "price"])
    ['ingestion.session_column="session_id"', 'ingestion.text_column="product_id"', 'ingestion.time_column="ts"']
    >>> columns_of(["order", "products"]), columns_of(["a", "b"])
    (['ingestion.text_column="products"'], [])
    """
    named = {key: next(filter(None, (_named(columns, usual) for usual in names)), "") for key, names in USUAL.items()}
    lists = _named(columns, LISTS)
    if named["session_column"] and named["text_column"]:
        return [f"ingestion.{key}={json.dumps(column, ensure_ascii=False)}" for key, column in named.items() if column]
    return [f"ingestion.text_column={json.dumps(lists, ensure_ascii=False)}"] if lists else []


def _named(columns: list[str], usual: str) -> str:
    """Return the first column with one of these names, in any case, or with `_id` or `_no`; "" if there is none."""
    found = {re.sub(r"[\W_]?(id|no)$", "", column.strip(), flags=re.IGNORECASE).lower(): column for column in columns}
    return next((found[name] for name in usual.split() if name in found), "")


def name_of(source: str) -> str:
    """Return a name for the experiment: that of the file or of the folder, without endings and wildcards."""
    parts = [part for part in source.split("?")[0].rstrip("/").split("/") if not set(part) & set("*[]") and part]
    last = parts[-1] if parts else "."
    name = Path(last).resolve().name if last in (".", "..", "~") else ENDING.sub("", last)
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "text"


def _show(console: Console, config: Config, corpus: estimate.CorpusSize, columns: list[str]) -> None:
    items = config.tokenization.kind == "items"
    for setting in columns:
        say(console, f"found by its name: {setting}")
    documents = "sessions" if items else "documents"
    say(console, f"about {corpus.documents:,.0f} {documents}, {corpus.characters:,.0f} characters in all")
    say(console, f"\nthe first {documents}, as {'items' if items else 'words'}:")
    between = " · " if items else " "
    found = foresight.sampled(config)
    console.print(table([], [[name, between.join(words[:WORDS]) or "(no word)"] for name, words in found]))


def _epochs(settings: list[str], characters: float) -> list[str]:
    if any(setting.startswith("training.epochs") for setting in settings):
        return []
    return [f"training.epochs={epochs}" for most, epochs in EPOCHS if characters < most][:1]
