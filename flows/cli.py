"""`w2v`: the flows for a terminal. Heavy imports wait inside the commands, so that `--help` answers at once.

Exit codes: 0 done, 1 the work failed, 2 wrong use, 130 interrupted.
"""

import logging
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from configs.schema import Config

INTERRUPTED = 130  # typer's exit code after Ctrl-C
LOSS = "loss/held_out"  # MLflow's name of J(θ)
QUICKSTART = Path(__file__).parent.parent / "configs" / "quickstart.toml"

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
ConfigFile = Annotated[Path, typer.Argument(help="The experiment, a TOML file.", show_default="quickstart.toml")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one value; may be repeated.")
]
Run = Annotated[str | None, typer.Option(help="A run id, or `champion`; by default the last retraining.")]
RunId = Annotated[str, typer.Argument(help="An MLflow run id.")]
Workspace = Annotated[Path, typer.Option(help="The folder of the store and the tracking database.")]
Model = Annotated[str, typer.Option(help="The registered model: tracking.registered_model.")]
Many = Annotated[int, typer.Option("-k", min=1, help="How many.")]


class Format(StrEnum):
    text = "text"  # word2vec's own, as gensim and others read it
    binary = "binary"
    parquet = "parquet"
    npy = "npy"  # with the words beside it
    projector = "projector"  # the pair of .tsv files of TensorBoard's embedding projector


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Retrain word2vec: from raw text to compared, logged word vectors."""


@app.command()
def retrain(
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train as many seeds, and say how far luck puts scores apart.")] = 1,
) -> None:
    """Retrain: ingest, tokenize, build the vocabulary, draw windows, train, evaluate, and log one MLflow run."""
    loaded = _load(config, settings)
    from flows import expectations, plan, report

    planned = plan.plan(loaded)
    expectations.corpus(loaded, planned)  # what is wrong with the source is said now, not after a server has started
    if seeds > 1:
        _serve()
        from flows import seeds as variants

        variants.show(report.console, variants.retrain_seeds(loaded, seeds))
        return
    # a server of one's own is told of every retraining; a temporary one is not started to be told of nothing
    done = None if os.environ.get("PREFECT_API_URL") else plan.already_done(loaded, planned)
    if done:
        report.show_reused(planned, done)
    else:
        _serve()
        from flows import retrain

        done = retrain.retrain(loaded)
    report.show(loaded, done)


@app.command()
def sweep(
    grid: Annotated[
        list[str],
        typer.Option(metavar="SECTION.KEY=V,V…", help="Values of one key, or with --random a range A..B; repeatable."),
    ],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    random: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Draw N candidates instead of all combinations.")
    ] = None,
    by: Annotated[str, typer.Option(help="The score to rank by: J(θ) on held-out windows, or another.")] = LOSS,
    keep_one_in: Annotated[
        int, typer.Option(min=1, help="One in so many trains on, so many times as long; 1 trains all to the end.")
    ] = 3,
    output: Annotated[Path | None, typer.Option(help="The best config; by default in WORKSPACE/sweeps.")] = None,
) -> None:
    """Train the candidates of a grid, the better ones to the end; write the best config.

    What they have in common is prepared once. Interrupted and started again, the sweep goes on.
    """
    loaded = _load(config, settings)
    from flows import candidates, expectations, plan, report

    changes = candidates.candidates(loaded, grid, random, by)
    expectations.corpus(loaded, plan.plan(loaded))
    _serve()
    from flows import sweep as sweeps

    sweeps.show(report.console, loaded, sweeps.sweep(loaded, changes, by, keep_one_in, output))


@app.command()
def plan(config: ConfigFile = QUICKSTART, settings: Settings = None) -> None:
    """Say what would run, what is reused, and the order of magnitude of what it takes."""
    loaded = _load(config, settings)
    from flows import plan, report

    report.show_plan(loaded, plan.plan(loaded))


@app.command()
def neighbors(words: list[str], k: Many = 10, run: Run = None, workspace: Workspace = Path("workspace")) -> None:
    """The nearest neighbours of each WORD, by cosine similarity."""
    from flows import report, vectors

    report.show_neighbors(vectors.neighbors(vectors.load(workspace, run), words, k))


@app.command()
def analogy(a: str, b: str, c: str, k: Many = 5, run: Run = None, workspace: Workspace = Path("workspace")) -> None:
    """A is to B as C is to …"""
    from flows import report, vectors

    report.show_neighbors(vectors.analogy(vectors.load(workspace, run), a, b, c, k))


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN…", help="MLflow run ids; the first is what the others are compared with."),
    ],
    output: Annotated[Path | None, typer.Option(help="The HTML file; by default in WORKSPACE/comparisons.")] = None,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Say which of several runs is better, how sure that is, and how the space has changed; write one HTML page."""
    if len(set(runs)) < max(2, len(runs)):
        raise typer.BadParameter("name two or more different runs", param_hint="RUN RUN…")
    from flows import comparison, report

    comparison.show(report.console, *comparison.compare(workspace, runs, output))


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[Format, typer.Option(help="npy and projector are two files: vectors and words.")] = Format.text,
    run: Run = None,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Write the vectors for other programs."""
    from flows import vectors
    from tasks import _formats

    for path in _formats.WRITERS[format.value](target, *vectors.load(workspace, run)):
        print(path)


@app.command()
def verify(run: RunId, workspace: Workspace = Path("workspace")) -> None:
    """Hold every file, figure and stage output of RUN against its certificate; exit 1 if anything differs."""
    from flows import verify

    raise typer.Exit(verify.examine(workspace, run))


@app.command()
def reproduce(run: RunId, settings: Settings = None, workspace: Workspace = Path("workspace")) -> None:
    """Rebuild RUN from what it logged, in a fresh workspace, and say if it is identical or what differs; then exit 1.

    The new run is logged beside RUN and names it. What RUN was made of and is not the same any more (data, config,
    code, packages, kernels, CPU) is said first. `--set runtime.workspace=FOLDER` says where it is rebuilt.
    """
    from flows import reproduce

    original = reproduce.find(run, workspace, settings or [])
    _prepare(original.config)
    reproduce.show_foreseen(original, reproduce.foreseen(original))
    _serve()
    raise typer.Exit(reproduce.show(original, reproduce.reproduce(original)))


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version of the model.")] = "challenger",
    accept_drift: Annotated[bool, typer.Option("--accept-drift", help="However far the space has moved.")] = False,
    because: Annotated[str, typer.Option(metavar="REASON", help="Against the rule, for this reason.")] = "",
    model: Model = "vectors",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Make VERSION the champion if the rule of its config lets it; exit 1 if it is kept back."""
    settle(workspace)
    from flows import promotion, report

    raise typer.Exit(promotion.promote(report.console, workspace, model, version, accept_drift, because))


@app.command()
def rollback(
    because: Annotated[str, typer.Option(metavar="REASON", help="Is recorded.")] = "",
    model: Model = "vectors",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Make the version champion again that was it before."""
    settle(workspace)
    from flows import promotion, report

    promotion.rollback(report.console, workspace, model, because)


@app.command()
def history(model: Model = "vectors", workspace: Workspace = Path("workspace")) -> None:
    """Every decision about who is champion: when, by whom, and why."""
    from flows import promotion, report

    promotion.history(report.console, workspace, model)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000, workspace: Workspace = Path("workspace")) -> None:
    """Start MLflow's pages on the workspace's runs, on 127.0.0.1, until Ctrl-C."""
    from flows import servers

    servers.mlflow_ui(workspace, port)


@app.command()
def gc(
    last: Annotated[int, typer.Option(min=0, help="Keep what the last so many runs use.")] = 5,
    days: Annotated[float, typer.Option(min=0, help="Keep what runs use that ended within so many days.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go, and its size.")] = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Remove abandoned attempts, and stage outputs and checkpoints that no kept run uses.

    Always kept: what runs at work use, what runs use whose registered model has an alias (such as `champion`), and the
    vectors of the last retraining. MLflow's runs and their files are left alone.
    """
    from flows import retention

    retention.collect(workspace, last, days, dry_run=dry_run)


@app.command()
def close(run: str, workspace: Workspace = Path("workspace")) -> None:
    """Mark RUN as KILLED, when it stays RUNNING because its process died on another host."""
    from flows import retention

    retention.close(workspace, run)


@app.command()
def doctor(workspace: Workspace = Path("workspace")) -> None:
    """Versions, servers, disk, cores and BLAS: what a report of a problem should contain."""
    from flows import doctor

    raise typer.Exit(doctor.examine(workspace))


def main() -> None:
    """Run the command; an error is one clear message, its traceback only with --debug."""
    debug = "--debug" in sys.argv
    quiet()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("interrupted; the same command continues where this one stopped", file=sys.stderr)
        raise
    except Exception as error:  # the last door: whatever is left becomes one message
        if debug:
            raise
        from configs.loading import ConfigError

        print(f"error: {_message(error)}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


def _load(path: Path, settings: list[str] | None) -> "Config":
    from configs.loading import load

    settings = settings or []
    own_text = path == QUICKSTART and any(setting.startswith("ingestion.source") for setting in settings)
    config = load(None if own_text else path, settings)  # quickstart's probes and epochs suit its own text only
    _prepare(config)
    return config


def _prepare(config: "Config") -> None:
    """What has to be so before Prefect and NumPy are loaded, or this process starts again."""
    settle(Path(config.runtime.workspace))
    if config.runtime.portable:
        from tasks import _arithmetic

        _arithmetic.pin()


def _serve() -> None:
    from flows import temporary

    temporary.ensure_server()


def settle(workspace: Path) -> None:
    """Give Prefect a home in the workspace, unless the user has one of their own."""
    from tasks._errors import StoreError

    home = Path(os.environ.setdefault("PREFECT_HOME", str(workspace.absolute() / "prefect")))
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{home}: the workspace cannot be written ({error.strerror}).\n"
            "Make the folder writable, or choose another with --set runtime.workspace=FOLDER."
        ) from error


def quiet() -> None:
    """Our own progress on the terminal, and nothing of Prefect's, whose page has it all; nobody is called home."""
    defaults = {
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "w2v",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("w2v")
    log.addHandler(terminal)
    log.setLevel(logging.INFO)


def _message(error: Exception) -> str:
    from configs.loading import ConfigError
    from tasks._errors import PipelineError

    if isinstance(error, ConfigError | PipelineError):
        return str(error)
    return f"{type(error).__name__}: {error}\nThis was not expected: run again with `w2v --debug …` to see where."


if __name__ == "__main__":
    main()
