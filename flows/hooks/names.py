"""Name a flow run for Prefect's pages: what it makes, from which source, and what started it."""

from prefect.context import FlowRunContext

from configs.names import model_name
from configs.schema import Config

LONGEST = 40  # characters of a source
WHY = {"SCHEDULE": "scheduled", "AUTOMATION": "by an automation"}


def named() -> str:
    """Return `reviews: vectors from reviews.csv, scheduled`; for a seed or a sweep's candidate, its config's name."""
    context = FlowRunContext.get()
    assert context
    assert context.flow_run
    config: Config = (context.parameters or {})["config"]
    if context.flow_run.parent_task_run_id:
        return config.name
    by = context.flow_run.created_by
    why = WHY.get(str(by.type), "by hand") if by else "by hand"
    model = config.tracking.registered_model
    what = "vectors" if model == model_name(config.name) else model
    return f"{config.name}: {what} from {_short(config.ingestion.source)}, {why}"


def _short(source: str | list[str]) -> str:
    first, *others = [source] if isinstance(source, str) else source
    shown = first if len(first) <= LONGEST else f"…{first[1 - LONGEST :]}"
    return f"{shown} and {len(others)} more" if others else shown
