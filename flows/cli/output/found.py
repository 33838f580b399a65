"""Print runs and what is known about them, for `w2v runs`, `show`, `logs` and `open`."""

import csv
import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase

from rich.console import Console
from rich.text import Text

from configs.addresses import public
from flows.cli.output.tables import cell, say, table
from flows.query import listing, logs
from flows.query.listing import RunDetails, RunRow
from flows.service.health import moment
from flows.service.state import Place, clock
from tasks.display.spreadsheet import harmless
from tasks.display.terminal import visible
from tasks.errors import PipelineError, TrackingError
from tasks.orchestration import artifacts
from tasks.tracking import address, registry
from tasks.tracking.contents import columns
from tasks.tracking.names import LOSS
from tasks.tracking.run import Run

SHORT = 8  # characters of an id, enough to name it
LETTERS = [*ascii_lowercase, *(one + two for one in ascii_lowercase for two in ascii_lowercase)]
WIDE = 3  # scores in the table of a terminal; --csv has all
TITLES = {LOSS: "J(θ)"}
STYLES = {"failed": "red", "killed": "yellow", "abandoned": "yellow", "running": "green"}


def show_runs(console: Console, rows: list[RunRow]) -> None:
    """Print one line a run."""
    if not rows:
        say(console, "no runs yet: `w2v retrain` makes one")
        return
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    shown = names[:WIDE] if sys.stdout.isatty() else names
    marks = {name: _marks(rows, name) for name in shown}
    head = ["run", "started", "state", "version", "", *(_title(name) for name in shown), "name"]
    cells: list[list[str | Text]] = [
        [
            row.run[:SHORT],
            f"{clock(moment(row.started))[5:16]}",
            Text(row.state, STYLES.get(row.state, "")),
            row.version,
            cell(_standing(row), "bold" if "champion" in row.aliases else ""),
            *(f"{row.scores[name]:.4g}{marks[name](row)}" if name in row.scores else "" for name in shown),
            f"{'└ ' if row.parent else ''}{row.name}",
        ]
        for row in rows
    ]
    console.print(table(head, cells, right=[_title(name) for name in shown]))
    if any(mark(row) for mark in marks.values() for row in rows):
        say(console, ("\nonly scores with the same letter were measured on the same windows or set", "dim"))
    if len(shown) < len(names):
        say(console, (f"\nand {len(names) - len(shown)} more scores: `w2v runs --csv`, `w2v show RUN`", "dim"))


def _marks(rows: list[RunRow], name: str) -> Callable[[RunRow], str]:
    """Return what marks a run's score: a letter for what it was measured on, if that differs between the runs."""
    found = dict.fromkeys(row.measured_on.get(name, "") for row in rows if name in row.scores)
    letters = {basis: f" {LETTERS[number % len(LETTERS)]}" for number, basis in enumerate(found)}
    return lambda row: letters.get(row.measured_on.get(name, ""), "") if len(letters) > 1 else ""


def print_runs_json(rows: list[RunRow]) -> None:
    """Print the runs as a JSON list."""
    from pydantic import TypeAdapter

    print(TypeAdapter(list[RunRow]).dump_json(rows, indent=1).decode())


def print_runs_csv(rows: list[RunRow]) -> None:
    """Print the fields of each run, and for each score a column with it and one with what it was measured on."""
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    fields = [name for name in RunRow.model_fields if name not in ("scores", "measured_on")]
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow([*fields, *names, *(f"{name} measured on" for name in names)])
    for row in rows:
        known = row.model_dump() | {"aliases": " ".join(row.aliases)}
        scores = [known.get(name, "") for known in (row.scores, row.measured_on) for name in names]
        lines.writerow([*(harmless(known[name]) for name in fields), *scores])


def show_run(console: Console, run: RunDetails) -> None:
    """Print all about a run, the scores with their intervals."""
    say(console, (run.name, "bold"), f"  {run.run}")
    took = f", {run.minutes:.1f} min" if run.minutes is not None else ""
    say(console, (run.state, STYLES.get(run.state, "")), f"  {clock(moment(run.started))}{took}")
    about = {
        "version": " ".join([run.version, *run.aliases]),
        "decision": f"{run.verdict}: {run.why}" if run.verdict else run.why,
        "parent": run.parent,
        "reproduces": run.reproduces,
        "continue": run.resume,
        "config": run.config,
        "files": run.artifacts,
    }
    for name, text in about.items():
        if text:
            say(console, f"{name:<11} {text}")
    if run.intervals:
        console.print()
        console.print(table(["score", "value", "95% interval", "coverage"], map(_scored, run.intervals)))
    console.print()
    console.print(table(["setting", "value"], sorted(run.parameters.items())))
    short = run.run[:SHORT]
    ways = f"w2v neighbors --run {short} WORD…     w2v logs {short}     w2v open {short}"
    say(console, (f"\n{ways}", "dim"))


def print_log(workspace: Path, name: str | None) -> int:
    """Print the log of a run; return the exit code, 1 if Prefect has none."""
    uri = address.runs_of(workspace)
    run = _named(uri, name)
    flow_run, empty = listing.flow_run(uri, run), True
    for line in logs.lines(workspace, flow_run) if flow_run else ():
        empty = False
        print(visible(line))
    if empty:
        where = os.environ.get("PREFECT_API_URL") or f"{workspace}/prefect"
        print(f"there is no log of run {run} in {public(where)}", file=sys.stderr)
        print("The run was made on another server, or its flow run was deleted.", file=sys.stderr)
    return int(empty)


def open_run(workspace: Path, name: str | None) -> None:
    """Print the links of a run, or of all runs, and open the pages in a browser. Raises PipelineError without a server.

    The links have the key that logs a browser in; what is opened has no key, as other accounts see command lines.
    """
    uri = address.runs_of(workspace)
    pages = _pages(Run(uri, registry.run_id(uri, name))) if name else _first_pages(uri)
    if not pages:
        raise PipelineError(
            f"no server shows {f'run {name}' if name else 'the runs'}\n"
            "expected  the servers of `w2v up`, or your own\nfound     none\n"
            "`w2v up` starts them, `w2v ui` MLflow's alone; `w2v show` tells about the run here."
        )
    place = Place(workspace)
    state = place.state
    for server, page in pages.items():
        print(f"{server:<8} {place.link(state, server, page) if state else page}")
    if sys.stdout.isatty() and _has_browser():
        for page in pages.values():
            webbrowser.open(page)


def _first_pages(uri: str) -> dict[str, str]:
    """Return the lists of runs on the servers that are up."""
    pages = {"mlflow": artifacts.page(uri, columns.address(uri))} if uri.startswith("http") else {}
    return pages | ({"prefect": f"{_prefect(api)}/runs"} if (api := os.environ.get("PREFECT_API_URL")) else {})


def _pages(run: Run) -> dict[str, str]:
    """Return the pages of the run on the servers that are up."""
    flow_run = listing.flow_run(run.uri, run.id)
    pages = {"mlflow": artifacts.link(run)} if run.uri.startswith("http") else {}
    if flow_run and (api := os.environ.get("PREFECT_API_URL")):
        pages["prefect"] = f"{_prefect(api)}/runs/flow-run/{flow_run}"
    return pages


def _prefect(api: str) -> str:
    return public(api).rstrip("/").removesuffix("/api")


def _named(uri: str, name: str | None) -> str:
    if name:
        return registry.run_id(uri, name)
    if not (found := listing.newest(uri)):
        raise TrackingError("there are no runs yet\nRun `w2v retrain` first, or give another --workspace.")
    return found


def _has_browser() -> bool:
    """Return True if a page would open in a window, and not in this terminal."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _standing(row: RunRow) -> str:
    return " ".join(row.aliases) or row.verdict


def _title(metric: str) -> str:
    return TITLES.get(metric) or metric.partition("/")[2]


def _scored(row: listing.Scored) -> list[str]:
    interval = "" if row.low is None else f"{row.low:.3f} … {row.high:.3f}"
    coverage = "" if row.coverage is None else f"{row.coverage:.0%}"
    return [row.score, f"{row.value:.4g}", interval, coverage]
