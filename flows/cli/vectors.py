"""Commands that use, compare and export the vectors of finished runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import completion
from flows.cli.app import Epoch, Json, Many, Run, Workspace, app, enter


class Format(StrEnum):
    text = "text"  # word2vec's text format, which gensim and others read
    binary = "binary"
    vocab = "vocab"  # words and counts
    parquet = "parquet"
    npy = "npy"  # and a second file with the words
    fasttext = "fasttext-bin"  # with subwords
    projector = "projector"  # two .tsv files for TensorBoard's embedding projector
    pgvector = "pgvector"  # SQL for psql
    elasticsearch = "elasticsearch"  # lines for the bulk API, of OpenSearch too
    huggingface = "huggingface"  # a folder for model2vec, sentence-transformers, safetensors
    usearch = "usearch"  # a folder with an index for approximate search


@app.command()
def neighbors(
    words: Annotated[list[str], typer.Argument(help="The words to look up.", autocompletion=completion.words)],
    k: Many = 10,
    run: Run = None,
    epoch: Epoch = None,
    as_json: Json = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Show the nearest neighbours of each WORD, by cosine similarity.

    Which run and version answer is printed beside them, to standard error.
    """
    from flows.query import vectors
    from tasks.evaluation.judging import Space

    learnt, origin = vectors.found(workspace, run, epoch)
    space = Space(learnt)
    found = vectors.neighbors(space, words, k)
    if as_json:
        from flows.cli.output.shapes import Neighbors, near, print_json

        nearest = {word: near(each) for word, each in found.items()}
        print_json(Neighbors(run=origin.run, version=origin.version, neighbors=nearest))
    else:
        from flows.cli.output import tables

        tables.tell(origin)
        tables.tell_unseen(vectors.unseen(space, words))
        tables.show_neighbors(found)


Word = Annotated[str, typer.Argument(autocompletion=completion.words)]


@app.command()
def analogy(
    a: Word,
    b: Word,
    c: Word,
    k: Many = 5,
    run: Run = None,
    epoch: Epoch = None,
    as_json: Json = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Complete an analogy: A is to B as C is to …"""
    from flows.query import vectors
    from tasks.evaluation.judging import Space

    learnt, origin = vectors.found(workspace, run, epoch)
    space = Space(learnt)
    found = vectors.analogy(space, a, b, c, k)
    if as_json:
        from flows.cli.output.shapes import Analogy, near, print_json

        (answers,) = found.values()
        print_json(Analogy(run=origin.run, version=origin.version, answers=near(answers)))
    else:
        from flows.cli.output import tables

        tables.tell(origin)
        tables.tell_unseen(vectors.unseen(space, [a, b, c]))
        tables.show_neighbors(found)


@app.command()
def serve(
    run: Annotated[str, typer.Option(help="A run id or its first characters, or `champion`.")] = "champion",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 chooses a free one.")] = 5001,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Listen at this address of the machine, or at 0.0.0.0 (all of them); needs a password.",
        ),
    ] = "127.0.0.1",
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Search by this index of the vectors, from `w2v export FOLDER --format usearch`; exact by default.",
        ),
    ] = None,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Serve vectors, neighbours and analogies over HTTP.

    Listens on 127.0.0.1 until Ctrl-C. Prints a link for a browser and a command for a shell. W2V_SERVE_PASSWORD sets
    the password.
    """
    from flows.serving import app

    app.serve(workspace, run, port, host, index)


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN…",
            help="MLflow run ids or their first characters; each is compared with the first.",
            autocompletion=completion.runs,
        ),
    ],
    output: Annotated[Path | None, typer.Option(help="The HTML file; by default in WORKSPACE/comparisons.")] = None,
    as_json: Json = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Compare runs: scores, how certain they are, and moved words.

    Prints tables, and writes one HTML page.
    """
    if len(set(runs)) < max(2, len(runs)):
        raise typer.BadParameter("name two or more different runs", param_hint="RUN RUN…")
    enter(workspace)
    from flows.cli.output import comparison, tables

    found, page = comparison.compare(workspace, runs, output)
    if as_json:
        from flows.cli.output.shapes import print_json

        print_json(comparison.shape(found, page))
    else:
        comparison.show(tables.console, found, page)


@app.command()
def trace(
    words: Annotated[list[str], typer.Argument(help="The words to follow.", autocompletion=completion.words)],
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="A run id or its first characters; repeat it, in the order of time. By default, the model's versions.",
            autocompletion=completion.runs,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The registered model; by default the only one.")] = None,
    last: Annotated[int, typer.Option(min=2, help="The newest versions that are looked at.")] = 24,
    output: Annotated[Path | None, typer.Option(help="The HTML file; by default in WORKSPACE/comparisons.")] = None,
    as_json: Json = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Follow words through the periods of a corpus.

    Shows how far each WORD moved, its neighbours in each period, and which words moved beyond chance. Runs of the same
    text with different seeds are one period: their spread is what chance does. Writes one HTML page.
    """
    enter(workspace)
    from flows.cli.output import tables
    from flows.cli.output import trace as traces

    found, page = traces.trace(workspace, words, run or [], model, last, output)
    if as_json:
        from flows.cli.output.shapes import print_json

        print_json(traces.shape(found, page))
    else:
        traces.show(tables.console, found, page)


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="The file or folder to write.")],
    format: Annotated[
        Format | None,
        typer.Option(
            metavar="FORMAT",
            help=f"One of {', '.join(Format)}. By default from TARGET's ending: .txt .vec .bin .sql .ndjson (each also "
            "with .gz) .vocab .parquet .npy .tsv. `huggingface` and `usearch` are folders, `fasttext-bin` is "
            "fastText's own .bin for vectors of subwords.",
        ),
    ] = None,
    run: Run = None,
    epoch: Epoch = None,
    licence: Annotated[
        str,
        typer.Option("--license", metavar="NAME", help="The licence of the text, for a folder's model card."),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Write the vectors to a file or folder for other programs.

    The formats npy and projector (.tsv) write two files: vectors and words. docs/how-to/export.md has a block for each
    program.
    """
    from flows.cli.output import tables
    from flows.query.exports import Export
    from tasks.display.terminal import visible

    origin, files = Export(target, format and format.value, force=force, licence=licence).write(workspace, run, epoch)
    tables.tell(origin)
    for path in files:
        print(visible(path))
