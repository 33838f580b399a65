"""`w2v deploy`: create or update the deployments of prefect.yaml, for one config, on the server of PREFECT_API_URL."""

import os
import subprocess
from pathlib import Path
from typing import Any

from configs.addresses import shown
from configs.experiments import QUICKSTART, read
from configs.loading import ConfigError
from configs.schema import Config
from flows.servers.settings import ELSEWHERE
from tasks.engine import kernels
from tasks.engine.environment import MODULE
from tasks.errors import PipelineError

DESCRIBED = Path(__file__).with_name("prefect.yaml")
POOL = "w2v"  # the work pool, of type process


def deploy(config_path: Path, settings: list[str]) -> list[str]:
    """Deploy all of prefect.yaml and create its work pool; return the deployments' names, such as `retrain/reviews`.

    Called again, update the deployments. Raises ConfigError, and PipelineError if there is no Prefect server or it
    refuses.
    """
    server = os.environ.get("PREFECT_API_URL")
    if not server:
        raise PipelineError(
            "there is no Prefect server to deploy to: PREFECT_API_URL is not set\n"
            "Set it, such as PREFECT_API_URL=http://127.0.0.1:4200/api, or start a server with `w2v up`."
        )
    model = _checked(read(config_path, settings)).tracking.registered_model
    _have_pool(server)
    named = {"W2V_CONFIG": str(config_path), "W2V_SETTINGS": "\n".join(settings)}
    done = subprocess.run(
        [*MODULE, "flows.deployment.prefect_program", "--no-prompt", "deploy", "--all", "--prefect-file", DESCRIBED],
        env=os.environ | named,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = "\n".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise PipelineError(
            f"{DESCRIBED} cannot be deployed to {shown(server)}\n{shown(reason, server)}\n"
            "For details run `python -P -m flows.deployment.prefect_program deploy --all --prefect-file FILE`."
        )
    return _deployed(model)


def experiment(config: str, settings: str, environment: dict[str, str]) -> dict[str, Any]:
    """Return the values of {{ experiment.… }} in prefect.yaml; `settings` has one section.key=value a line."""
    loaded = _checked(read(Path(config or QUICKSTART), settings.splitlines()))
    workspace = str(Path(loaded.runtime.workspace).absolute())  # a crashed run's hooks run in another directory
    runtime = loaded.runtime.model_copy(update={"workspace": workspace})
    tracking = {"MLFLOW_TRACKING_URI": loaded.tracking.uri} if loaded.tracking.uri else {}  # for flows without a config
    return {
        "config": loaded.model_copy(update={"runtime": runtime}).model_dump(mode="json"),
        "model": loaded.tracking.registered_model,
        "schedule": loaded.schedule.model_dump(),
        "workspace": workspace,
        "directory": str(Path.cwd()),
        "environment": ELSEWHERE | environment | tracking | (kernels.PINNED if loaded.runtime.portable else {}),
    }


def _checked(config: Config) -> Config:
    """Return the config. Raises ConfigError if Prefect does not accept its schedule."""
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        CronSchedule(cron=config.schedule.cron, timezone=config.schedule.timezone)
    except ValidationError as error:
        (wrong,) = error.errors()
        key = wrong["loc"][0]
        raise ConfigError(f"schedule.{key}\n{wrong['msg'].removeprefix('Value error, ')}") from None
    return config


def _have_pool(server: str) -> None:
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    try:
        with get_client(sync_client=True) as client:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    except ObjectAlreadyExists:
        pass
    except (HTTPError, RuntimeError) as error:
        raise PipelineError(
            f"the Prefect server at {shown(server)} does not answer: {shown(str(error), server)}\n"
            "Start it, or name another in PREFECT_API_URL (and PREFECT_API_AUTH_STRING, if it asks for a password)."
        ) from error


def _deployed(model: str) -> list[str]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    with get_client(sync_client=True) as client:
        found = client.read_deployments(deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[model])))
        ours = [each for each in found if each.work_pool_name == POOL]
        return sorted(f"{client.read_flow(each.flow_id).name}/{each.name}" for each in ours)
