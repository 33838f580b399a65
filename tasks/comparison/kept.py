"""Where the page of nights of each model is kept: a file in the workspace, and its place on MLflow's server."""

import re
from pathlib import Path

from pydantic import Field

from tasks.datasets.files import write_whole
from tasks.engine.store import FrozenModel
from tasks.tracking.names import COMPARISONS


class NightsPage(FrozenModel):
    """The page of nights of a model."""

    model: str = Field(description="The registered model.")
    file: str = Field(description="Its path.")
    page: str = Field(description="Its address on MLflow's server, or what follows the server's own; it may be empty.")


def keep(workspace: Path, model: str, html: str, page: str) -> None:
    """Write the page of a model, and beside it where MLflow has it."""
    folder, stem = workspace / COMPARISONS, "nights-" + re.sub(r"[^\w.-]", "-", model)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{stem}.html", html.encode())
    known = NightsPage(model=model, file=f"{stem}.html", page=page)
    write_whole(folder / f"{stem}.json", known.model_dump_json(indent=1).encode())


def kept(workspace: Path) -> list[NightsPage]:
    """Return the pages of a workspace."""
    folder = (workspace / COMPARISONS).absolute()
    found = [NightsPage.model_validate_json(file.read_bytes()) for file in sorted(folder.glob("nights-*.json"))]
    return [page.model_copy(update={"file": str(folder / page.file)}) for page in found]
