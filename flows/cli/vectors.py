"""Use and compare the vectors of past runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Epoch, Many, Run, Workspace, app, enter


class Format(StrEnum):
    text = "text"  # word2vec's own, as gensim and others read it
    binary = "binary"
    parquet = "parquet"
    npy = "npy"  # with the words beside it
    projector = "projector"  # the pair of .tsv files of TensorBoard's embedding projector


@app.command()
def neighbors(
    words: list[str], k: Many = 10, run: Run = None, epoch: Epoch = None, workspace: Workspace = Path("workspace")
) -> None:
    """The nearest neighbours of each WORD, by cosine similarity."""
    from flows.cli import report
    from flows.query import vectors

    report.show_neighbors(vectors.neighbors(vectors.space(workspace, run, epoch), words, k))


@app.command()
def analogy(
    a: str, b: str, c: str, k: Many = 5, run: Run = None, epoch: Epoch = None, workspace: Workspace = Path("workspace")
) -> None:
    """A is to B as C is to …"""
    from flows.cli import report
    from flows.query import vectors

    report.show_neighbors(vectors.analogy(vectors.space(workspace, run, epoch), a, b, c, k))


@app.command()
def serve(
    run: Annotated[str, typer.Option(help="A run id or its start; by default whoever is champion.")] = "champion",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 5001,
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Let others reach it, at this address of the machine or 0.0.0.0."),
    ] = "127.0.0.1",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Answer vectors, neighbours and analogies over HTTP on 127.0.0.1, until Ctrl-C; its page says how to ask.

    It prints a link for a browser and a command for a shell; W2V_SERVE_PASSWORD sets the password.
    """
    from flows.serving import app as serving_app

    serving_app.serve(workspace, run, port, host)


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN…", help="MLflow run ids or their starts; all are compared with the first."),
    ],
    output: Annotated[Path | None, typer.Option(help="The HTML file; by default in WORKSPACE/comparisons.")] = None,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Say which of several runs is better, how sure that is, and how the space has changed; write one HTML page."""
    if len(set(runs)) < max(2, len(runs)):
        raise typer.BadParameter("name two or more different runs", param_hint="RUN RUN…")
    enter(workspace)
    from flows.cli import comparison, report

    comparison.show(report.console, *comparison.compare(workspace, runs, output))


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[
        Format | None,
        typer.Option(help="By default what FILE ends with: .txt .vec .bin (also .gz after it) .parquet .npy .tsv."),
    ] = None,
    run: Run = None,
    epoch: Epoch = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Write the vectors for other programs; npy and projector (.tsv) are two files, vectors and words."""
    from flows.query import vectors
    from tasks.datasets import outputs
    from tasks.display.terminal import visible
    from tasks.vectors import formats

    named = formats.format_of(target, format and format.value)
    files = formats.targets(target, named)
    outputs.check(files, "export", force=force)
    learnt = vectors.load(workspace, run, epoch)
    outputs.place(files, lambda beside: formats.WRITERS[named](beside, *learnt))
    for path in files:
        print(visible(path))
