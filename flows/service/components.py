"""Define the service's three parts: their commands and settings."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from flows.access.credentials import KEY, lock
from flows.access.guard import guard_environment
from flows.access.network import LOOPBACK, hosts, keep_users, mlflow_passwords, prefect_password
from flows.servers.mlflow_server import NAME, OPTIONS
from flows.servers.settings import PATIENT
from tasks.engine.environment import MODULE

PARTS = ("prefect", "mlflow", "worker")
POOL = "w2v"  # the work pool of flows.deployment.deploy
DATABASE = "MLFLOW_BACKEND_STORE_URI"  # MLflow's own variable, so that no command line shows a password


class Service(NamedTuple):
    """The options of `w2v up`."""

    workspace: str
    config: str
    settings: list[str]
    host: str = LOOPBACK
    prefect_port: int = 4200
    mlflow_port: int = 5000
    patience: float = 300.0  # seconds without an answer after which a part is restarted

    @classmethod
    def read(cls, said: str) -> "Service":
        """Read the options from JSON, as `str` writes them."""
        return cls(**json.loads(said))

    def __str__(self) -> str:
        return json.dumps(self._asdict())

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of each server."""
        return {"prefect": self.prefect_port, "mlflow": self.mlflow_port}

    def address(self, server: str) -> str:
        """Return the server's address as seen from this machine."""
        host = LOOPBACK if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{self.ports[server]}"


class Component(NamedTuple):
    name: str
    command: list[str]
    environment: dict[str, str]


def components(service: Service, own: dict[str, str]) -> list[Component]:
    """Return the parts in the order of their start; `own` are the service's own credentials."""
    return [_prefect(service, own), _mlflow(service, own), _worker(service, own)]


def _prefect(service: Service, own: dict[str, str]) -> Component:
    ours = hosts(service.host, service.prefect_port)
    settings = {
        "PREFECT_UI_API_URL": "/api",  # relative, so that it works under every name of the host
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(_origins(ours)),  # the default allows every origin
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
    command = [*MODULE, "flows.servers.prefect_server"]
    guard = guard_environment(service.prefect_port, ours, lock("prefect", own, prefect_password()))
    return Component("prefect", command, settings | PATIENT | guard)


def _mlflow(service: Service, own: dict[str, str]) -> Component:
    """Return MLflow's part; artifacts stay in the workspace, so they are found with or without the server."""
    ours, passwords = hosts(service.host, service.mlflow_port), mlflow_passwords()
    if said := os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS"):
        ours = [*ours, *said.split(",")]
    options = {
        "--host": service.host,
        "--port": str(service.mlflow_port),
        "--workers": "1",  # with the job runner off: two processes instead of fifteen
        "--default-artifact-root": str(Path(service.workspace, "mlartifacts")),
        "--allowed-hosts": ",".join(ours),
        "--cors-allowed-origins": ",".join(_origins(ours)),
        "--uvicorn-opts": f"{OPTIONS} --fd 0",  # standard input is the supervisor's socket
        "--app-name": NAME,
    }
    words = [word for option in options.items() for word in option]
    command = [*MODULE, "flows.service.mlflow_server", "--no-serve-artifacts", *words]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if passwords:  # MLflow checks its users' passwords itself
        settings |= passwords | keep_users(Path(service.workspace, "service"))
    settings |= guard_environment(service.mlflow_port, ours, None if passwords else lock("mlflow", own))
    return Component("mlflow", command, settings)


def _worker(service: Service, own: dict[str, str]) -> Component:
    settings = {
        "PREFECT_API_URL": f"{service.address('prefect')}/api",
        "MLFLOW_TRACKING_URI": service.address("mlflow"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
    command = [*MODULE, "flows.service.worker", service.config, *service.settings]
    return Component("worker", command, settings | {name: word for name, word in own.items() if name != KEY})


def _origins(hosts: list[str]) -> list[str]:
    """Return the allowed origins, with http and https, since a proxy in front may use TLS."""
    return [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
