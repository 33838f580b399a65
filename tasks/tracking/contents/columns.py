"""The columns of MLflow's table of runs: one for each score, and for each parameter that differs between runs.

A view is a tag of the experiment, such as MLflow's own page writes when a view is shared; the address names it.
Without a view the table shows names and times only.
"""

import json
from typing import TYPE_CHECKING

from tasks.tracking.client import reached
from tasks.tracking.names import GROUPS, LOSS, SPEED, VERDICT, VIEW

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

TRAINING = "workflowType=machine_learning"  # otherwise MLflow opens its pages for GenAI
NEWEST = 100  # runs whose columns are collected
WIDTH, MARGIN, NAMES = 6, 36, 290  # pixels: a letter, the margins of a title, the column of names


def address(uri: str) -> str:
    """Return the page with the table of the newest run, as a fragment of the address, after updating its view."""
    experiment = newest(uri)
    if experiment:
        renew(uri, experiment)
    return table(experiment)


def newest(uri: str) -> str:
    """Return the experiment of the newest run, "" without runs."""
    with reached(uri) as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = client.search_runs(experiments, max_results=1)
    return str(found[0].info.experiment_id) if found else ""


def table(experiment: str) -> str:
    """Return the page with the table of an experiment's runs and our columns; without one, that of the experiments."""
    if not experiment:
        return f"#/experiments?{TRAINING}"
    return f"#/experiments/{experiment}/runs?viewStateShareKey={VIEW.rpartition('.')[2]}&{TRAINING}"


def renew(uri: str, experiment: str) -> None:
    """Update the view of the experiment, with the scores and the differing parameters of its newest runs."""
    with reached(uri) as client:
        shown = view(client.search_runs([experiment], max_results=NEWEST))
        client.set_experiment_tag(experiment, VIEW, json.dumps(shown))


def view(runs: "list[MlflowRun]") -> dict[str, list[str] | dict[str, int]]:
    """Return the view of these runs as MLflow's page reads it: columns, their order, their widths in pixels."""
    metrics = {name for run in runs for name in run.data.metrics}
    order = {group: place for place, group in enumerate(["loss", *GROUPS, "speed"])}
    scores = [name for name in metrics if name in (LOSS, SPEED) or name.split("/")[0] in GROUPS]
    scores.sort(key=lambda name: (order[name.split("/")[0]], name))
    keys = dict.fromkeys(key for run in runs for key in run.data.params)
    differing = [key for key in keys if len({run.data.params.get(key) for run in runs}) > 1]
    groups = {"tags": [VERDICT], "metrics": scores, "params": differing, "attributes": ["Models"]}
    columns = {f"{kind}.`{name}`": WIDTH * len(name) + MARGIN for kind, names in groups.items() for name in names}
    widths = {"attributes.`Run Name`": NAMES} | columns
    return {"selectedColumns": list(columns), "columnOrder": list(widths), "columnWidths": widths}
