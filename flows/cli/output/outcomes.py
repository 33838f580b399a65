"""Print the results of commands that train several times (seeds, sweep, backfill), and of `w2v reconcile`."""

from rich.console import Console

from configs.addresses import shown
from configs.schema import Config
from flows.backfill import Filled
from flows.cli.output.tables import say, table
from flows.seeds import Seeds
from flows.sweep import SweepResult
from tasks.comparison.seeds import CAUTION
from tasks.engine.facts import EvaluationFacts, VocabularyFacts, recorded
from tasks.maintenance.orphans import Lost
from tasks.sweeps import halving
from tasks.tracking import address
from tasks.tracking.names import LOSS


def show_filled(console: Console, filled: list[Filled]) -> None:
    """Print one line a partition: its run, the number of words it trained on, and J(θ)."""
    rows = []
    for each in filled:
        outputs = each.run.outputs
        words = recorded(VocabularyFacts, outputs.trained.vocabulary)["occurrences"]
        loss = recorded(EvaluationFacts, outputs.evaluation)["metrics"].get(LOSS)
        cell = "" if loss is None else f"{loss:.4g}"
        rows.append([each.partition.day, each.run.run_id, f"{words:,}", cell, "reused" if each.found else ""])
    console.print()
    console.print(table(["partition", "MLflow run", "words", "J(θ)", ""], rows, right=["words", "J(θ)"]))
    say(console, "\nNone was proposed for promotion: `w2v promote VERSION` decides about one, `w2v ui` shows them.")


def show_seeds(console: Console, done: Seeds) -> None:
    """Print one line a score: its mean, its standard deviation, and its value for each seed."""
    head = ["score", "mean", "deviation", *(f"seed {seed}" for seed in done.runs)]
    rows = [
        [each.score, f"{each.mean:.4g}", f"{each.deviation:.2g}", *(f"{value:.4g}" for value in each.values)]
        for each in done.spreads
    ]
    console.print()
    console.print(table(head, rows))
    say(console, (f"\n{CAUTION}", "dim"))
    say(console, f"\nMLflow run   {done.run_id}")
    say(console, f"compare      w2v compare {' '.join(run.run_id for run in done.runs.values())}")


def show_swept(console: Console, config: Config, done: SweepResult) -> None:
    """Print one line a candidate, best first; which parameters mattered; and the path of the best config."""
    console.print()
    console.print(table(*halving.cells(done.sweep)))
    say(console, (f"\n{halving.ABOUT_RANKS}\n", "dim"))
    for each in done.sweep.mattered:
        say(console, f"{each.key}  ", (halving.share(each), "dim"))
    say(console, f"\nMLflow run   {done.run_id}  in {shown(address.uri(config))}")
    say(console, f"best config  {done.best}     train it   w2v retrain {done.best}")


def show_closed(console: Console, lost: list[Lost]) -> None:
    """Print one line a closed run, with the command that continues it."""
    if not lost:
        say(console, "nothing to close: all running runs have a recent heartbeat")
    for each in lost:
        where = f"run {each.run_id} is KILLED" if each.run_id else f"flow run {each.flow_run} is closed"
        say(console, f"{each.name}: {each.why}; {where}")
        if each.command:
            say(console, f"  to continue: {each.command}")
