"""What the service is made of: the commands and settings of its three parts."""

import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from flows.service.exposure import LOOPBACK, keep_users, mlflow_passwords, names, prefect_passwords

PARTS = ("prefect", "mlflow", "worker")
POOL = "w2v"  # the work pool of flows.deployments
DATABASE = "MLFLOW_BACKEND_STORE_URI"  # MLflow's own variable: an address with a password is in no command line


class Service(NamedTuple):
    """What `w2v up` was asked for."""

    workspace: str
    config: str
    settings: list[str]
    host: str = LOOPBACK
    prefect_port: int = 4200
    mlflow_port: int = 5000
    patience: float = 300.0  # seconds without an answer after which a part is started again

    @classmethod
    def read(cls, said: str) -> "Service":
        return cls(**json.loads(said))

    def __str__(self) -> str:
        return json.dumps(self._asdict())

    @property
    def ports(self) -> dict[str, int]:
        return {"prefect": self.prefect_port, "mlflow": self.mlflow_port}

    def address(self, server: str) -> str:
        """For this machine."""
        host = LOOPBACK if self.host == "0.0.0.0" else self.host
        return f"http://{host}:{self.ports[server]}"


class Part(NamedTuple):
    name: str
    command: list[str]
    environment: dict[str, str]


def parts(service: Service) -> list[Part]:
    """In the order of their start; the worker uses both servers."""
    return [_prefect(service), _mlflow(service), _worker(service)]


def _prefect(service: Service) -> Part:
    origins = [f"http://{name}:{service.prefect_port}" for name in names(service.host)]
    settings = {
        "PREFECT_UI_API_URL": "/api",  # of whatever name the page was asked for by
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(origins),  # by default, any page in the browser may ask
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
    where = ["--host", service.host, "--port", str(service.prefect_port)]
    command = [sys.executable, "-m", "prefect", "server", "start", *where]
    return Part("prefect", command, settings | prefect_passwords())


def _mlflow(service: Service) -> Part:
    """Artifacts lie where they would without the server, and not behind it: what is logged with it is found without."""
    hosts = [f"{name}:{service.mlflow_port}" for name in names(service.host)]
    passwords = mlflow_passwords()
    options = {
        "--host": service.host,
        "--port": str(service.mlflow_port),
        "--workers": "1",  # with the job runner off: two processes instead of fifteen
        "--default-artifact-root": str(Path(service.workspace, "mlartifacts")),
        "--allowed-hosts": os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS") or ",".join(hosts),
        "--cors-allowed-origins": ",".join(f"http://{host}" for host in hosts),
        "--uvicorn-opts": "--log-level warning",
        **({"--app-name": "basic-auth"} if passwords else {}),
    }
    words = [word for option in options.items() for word in option]
    command = [sys.executable, "-m", "flows.service.tracking_server", "--no-serve-artifacts", *words]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if passwords:
        settings |= passwords | keep_users(Path(service.workspace, "service"))
    return Part("mlflow", command, settings)


def _worker(service: Service) -> Part:
    settings = {
        "PREFECT_API_URL": f"{service.address('prefect')}/api",
        "MLFLOW_TRACKING_URI": service.address("mlflow"),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "flows.service.worker", service.config, *service.settings]
    return Part("worker", command, settings)
