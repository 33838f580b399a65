"""A year of nightly runs in minutes: are the pages still quick, and is the disk bounded?

python -m benchmarks.a_year [NIGHTS]

One real retraining of a small text gives the records of a night. MLflow gets as many runs as there are nights, with
the parameters, tags, metrics and curves of the real one, a model, a version and a decision, but files of a few
kilobytes; in the database of Prefect's server the rows of the real flow run are copied, night by night. Then the
queries behind the pages and the commands are timed, `w2v retain` is run, and they are timed again.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np

from configs.loading import load
from configs.schema import Config
from flows.servers import ephemeral
from flows.servers.settings import quiet, settle
from tasks.tracking import address

HERE = Path(__file__).parent
W2V = Path(sys.executable).parent / "w2v"
DAY = 86_400_000  # milliseconds
# of Prefect's tables, those that a flow run fills, with the column that names it or its task run
TABLES = {
    "flow_run": "id",
    "flow_run_state": "flow_run_id",
    "task_run": "flow_run_id",
    "task_run_state": "task_run_id",
    "artifact": "flow_run_id",
    "log": "flow_run_id",
    "events": "resource_id",
    "event_resources": "event_id",
}
SETTINGS = [
    "name=nightly",
    "tracking.registered_model=vectors",
    "ingestion.text_documents=line",
    "vocabulary.min_count=1",
    "vocabulary.subsample=0",
    "training.vector_size=8",
    "training.epochs=3",
    "training.damping=0.5",
    "training.batch_size=32",
    "notify.webhook=NOBODY",
    "retention.trash_days=0",
]


def main(nights: int) -> None:
    with TemporaryDirectory() as folder:
        workspace = Path(folder) / "ws"
        text = Path(folder) / "text.txt"
        rng = np.random.default_rng(0)
        text.write_text("\n".join(" ".join(rng.choice(list("abcdefgh"), 40)) for _ in range(90)))
        settings = [f"ingestion.source={text}", f"runtime.workspace={workspace}", *SETTINGS]
        config = load(None, settings)
        settle(workspace)
        quiet()
        ephemeral.ensure_server()
        from flows.retrain import retrain

        done = retrain(config)
        fill_mlflow(config, done.run_id, nights)
        fill_prefect(workspace / "prefect" / "prefect.db", nights)
        rows = [figures(f"after {nights} nights", config, settings)]
        words = [word for setting in settings for word in ("--set", setting)]
        rows += [run_retention(words)]
        rows += [figures("after `w2v retain`", config, settings)]
    record = {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", "nights": nights, "rows": rows}
    (HERE / "results" / "a-year.json").write_text(json.dumps(record, indent=1) + "\n")


def fill_mlflow(config: Config, run_id: str, nights: int) -> None:
    """A run a night, the last one last night; each is kept back, and each thirtieth promoted."""
    from mlflow.entities import Metric, Param, RunTag

    from tasks.tracking import names, registry
    from tasks.tracking.client import reached
    from tasks.tracking.registry import Decision

    uri = address.uri(config)
    with reached(uri) as client:
        real = client.get_run(run_id)
        curves = [point for name in real.data.metrics for point in client.get_metric_history(run_id, name)]
        now = int(time.time() * 1_000)
        for night in range(nights, 0, -1):
            start = now - night * DAY
            run = client.create_run(real.info.experiment_id, start_time=start, run_name=f"nightly {night}")
            tags = real.data.tags | {names.FLOW_RUN: flow_run_id(night), names.RESULT: str(uuid4())}
            client.log_batch(
                run.info.run_id,
                [Metric(each.key, each.value, start, each.step) for each in curves],
                [Param(*each) for each in real.data.params.items()],
                [RunTag(*each) for each in tags.items()],
            )
            client.log_text(run.info.run_id, "0" * 10_000, names.REPORT)
            model = client.create_logged_model(real.info.experiment_id, "word-vectors", source_run_id=run.info.run_id)
            version = client.create_model_version(
                "vectors", str(model.artifact_location), run.info.run_id, model_id=model.model_id
            )
            registered = registry.model(uri, "vectors") if night % 30 == 0 else None
            decision = Decision(
                version=str(version.version),
                run_id=run.info.run_id,
                verdict="promoted" if registered else "kept back",
                against=registered and registered.aliases["champion"],
                why="it was trained on newer data",
                who="nightly",
                when=datetime.fromtimestamp(start / 1_000).isoformat(timespec="milliseconds"),
            )
            registry.settle(registered or registry.RegisteredModel(uri, "vectors", {}, {}), decision)
            client.set_terminated(run.info.run_id, end_time=start + 600_000)


def flow_run_id(night: int) -> str:
    return f"00000000-0000-4000-8000-{night:012d}"


def fill_prefect(database: Path, nights: int) -> None:
    """The rows of the one real flow run, once a night, with ids and times of their own."""
    time.sleep(5)  # the server writes events a moment later
    with sqlite3.connect(database, timeout=60) as connection:
        connection.row_factory = sqlite3.Row
        rows: dict[str, list[dict[str, Any]]] = {}
        known: set[str] = set()
        (flow_run,) = [row["id"] for row in connection.execute("select id from flow_run")]
        for table, column in TABLES.items():
            found = [dict(row) for row in connection.execute(f"select * from {table}")]
            wanted = known | {f"prefect.flow-run.{flow_run}"} | {f"prefect.task-run.{each}" for each in known}
            rows[table] = [row for row in found if not known or row[column] in wanted]
            known |= {row["id"] for row in rows[table]}
        for night in range(nights, 0, -1):
            names = {each: str(uuid4()) for each in known} | {flow_run: flow_run_id(night)}
            for table, found in rows.items():
                for row in found:
                    copy = {name: _moved(value, names, night) for name, value in row.items()}
                    marks = ", ".join("?" * len(copy))
                    connection.execute(f"insert into {table} ({', '.join(copy)}) values ({marks})", [*copy.values()])


def _moved(value: Any, names: dict[str, str], nights: int) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return str(datetime.fromisoformat(value) - timedelta(days=nights))
    except ValueError:
        return _renamed(value, names)


def _renamed(value: str, names: dict[str, str]) -> str:
    if value in names:
        return names[value]
    for former, name in names.items() if "-" in value else ():
        value = value.replace(former, name)
    return value


def run_retention(words: list[str]) -> dict[str, Any]:
    started = time.perf_counter()
    done = subprocess.run([W2V, "retain", *words], capture_output=True, text=True, check=True)
    print(*done.stdout.splitlines()[-4:], sep="\n")
    return {"name": "`w2v retain` itself", "seconds": time.perf_counter() - started}


def figures(name: str, config: Config, settings: list[str]) -> dict[str, Any]:
    """Seconds of each query and command, and megabytes of each database and folder."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    from tasks.tracking.client import reached

    workspace = Path(config.runtime.workspace)
    option = ["--workspace", str(workspace)]
    words = [word for setting in settings for word in ("--set", setting)]
    with reached(address.uri(config)) as client, get_client(sync_client=True) as prefect:
        runs = len(client.search_runs(["1"], max_results=5_000))
        queries = {
            "MLflow: the table of runs": lambda: client.search_runs(["1"], max_results=100),
            "MLflow: versions of the model": lambda: client.search_model_versions("name = 'vectors'", max_results=100),
            "Prefect: the table of flow runs": lambda: prefect.read_flow_runs(
                sort=FlowRunSort.START_TIME_DESC, limit=200
            ),
            "Prefect: the newest task runs": lambda: prefect.read_task_runs(limit=200),
        }
        found = {query: quickest(each) for query, each in queries.items()}
        flow_runs = prefect.count_flow_runs()
    commands = {
        "`w2v retrain`, nothing to do": ["retrain", *words],
        "`w2v history`": ["history", *option],
        "`w2v gc --dry-run`": ["gc", "--dry-run", *option],
    }
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    for command, arguments in commands.items():
        found[command] = quickest(
            lambda arguments=arguments: subprocess.run(
                [W2V, *arguments], env=environment, capture_output=True, check=True
            ),
            times=2,
        )
    sizes = {
        "MLflow's database": (workspace / "mlflow.db").stat().st_size,
        "MLflow's files": sum(path.stat().st_size for path in (workspace / "mlartifacts").rglob("*") if path.is_file()),
        "Prefect's database": (workspace / "prefect" / "prefect.db").stat().st_size,
    }
    row = {"name": name, "runs": runs, "flow runs": flow_runs, "seconds": found, "bytes": sizes}
    print(json.dumps(row, indent=1), flush=True)
    return row


def quickest(work: Callable[[], Any], times: int = 5) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 365)
