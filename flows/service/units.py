"""Print files that make systemd or Docker Compose run `w2v up --foreground` with the same options and settings."""

import json
import os
import shlex
import sys
from pathlib import Path

from configs.schema import Notify
from configs.workspaces import VARIABLE
from flows.access.credentials import KEY
from flows.access.guard import SETTINGS
from flows.access.network import LOOPBACK, MLFLOW_NAME, MLFLOW_PASSWORD, PREFECT_PASSWORD
from flows.deployment import directory
from flows.servers.settings import ELSEWHERE, HERE
from flows.service.components import DATABASE, Service
from flows.service.state import MARK
from tasks.errors import PipelineError

WEBHOOK = Notify().webhook
PROJECT = Path(__file__).parents[2]
# variables of the user's environment that the service may need, and that systemd and containers do not pass on
WANTED = [
    PREFECT_PASSWORD,
    MLFLOW_NAME,
    MLFLOW_PASSWORD,
    "W2V_ALLOWED_HOSTS",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_SERVER_ALLOWED_HOSTS",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_S3_ENDPOINT_URL",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "TZ",
]
FAMILIES = ("AWS_", "MLFLOW_", "PREFECT_", "W2V_")  # other variables with these prefixes, if they are set
# `up` refuses the first; the second follows from the workspace, which is among its options; the service itself sets the
# others for the parts that need them
NOT_WANTED = {
    "PREFECT_API_URL",
    "PREFECT_HOME",
    VARIABLE,
    directory.VARIABLE,
    DATABASE,
    MARK,
    SETTINGS,
    KEY,
    *ELSEWHERE,
    *HERE,
}

SYSTEMD = """\
# The retraining service of one user. Save this as ~/.config/systemd/user/w2v.service, then
#   systemctl --user daemon-reload
#   systemctl --user enable --now w2v
#   loginctl enable-linger              start at boot, not at your first login
# The service does not see your shell's environment. Put passwords, the webhook, proxies, S3 keys and settings of
# Prefect and MLflow as lines NAME=VALUE into ~/.config/w2v/environment, readable only by you (chmod 600).
# Set when this file was made: {set}
[Unit]
Description=w2v: Prefect, MLflow and the scheduled retraining of {workspace}

[Service]
Type=exec
WorkingDirectory={directory}
EnvironmentFile=-%h/.config/w2v/environment
ExecStart={command}
# w2v stops a running training first, with a checkpoint, then the servers
KillMode=mixed
TimeoutStopSec=5min
Restart=on-failure
RestartSec=10

[Install]
WantedBy=default.target
"""

COMPOSE = """\
# The retraining service in a container:  docker compose up --build --detach
#
# Not tested with Compose itself, but as processes, with the same command and settings. The container uses the host's
# network: 127.0.0.1 is the same inside and outside, and `w2v retrain` and `w2v status` outside use its servers. A
# corpus in another folder needs a line under `volumes`.
services:
  w2v:
    build:
      context: {project}
      dockerfile: Containerfile
      args: {{PYTHON: "{python}"}}
    command: {command}
    network_mode: host
    init: true
    user: "{user}"
    working_dir: {directory}
    volumes: {volumes}
    environment: # passed on from the shell that runs `docker compose up`, if set there
      - HOME=/tmp
{environment}
    restart: unless-stopped
    stop_grace_period: 5m # for a running training to write its checkpoint
    healthcheck:
      test: {test}
      interval: 1m
      timeout: 30s
      start_period: 3m
"""


def command(service: Service) -> list[str]:
    """Return the arguments of `w2v` that start this service in the foreground."""
    words = ["up", service.config, "--foreground"]
    words += [word for setting in service.settings for word in ("--set", setting)]
    words += [word for server, port in service.ports.items() for word in (f"--{server}-port", str(port))]
    words += ["--patience", f"{service.patience:g}"]
    return words + (["--expose", service.host] if service.host != LOOPBACK else [])


def variables(webhook: str) -> list[str]:
    """Return the names of the environment variables that the service may need."""
    others = sorted(name for name in os.environ if name.startswith(FAMILIES) and name not in NOT_WANTED)
    return list(dict.fromkeys([webhook, *WANTED, *others]))


def systemd(service: Service, webhook: str = WEBHOOK) -> str:
    """Return a unit file for systemd."""
    words = shlex.join([str(Path(sys.executable).parent / "w2v"), *command(service)])
    escaped = words.replace("%", "%%").replace("$", "$$")  # systemd gives these characters a meaning
    known = ", ".join(name for name in variables(webhook) if os.environ.get(name)) or "none of them"
    return SYSTEMD.format(workspace=service.workspace, directory=Path.cwd(), command=escaped, set=known)


def compose(service: Service, webhook: str = WEBHOOK) -> str:
    """Return a file for Docker Compose. Raises PipelineError outside of a checkout."""
    folders = [Path.cwd(), Path(service.config).parent, Path(service.workspace)]
    if not (PROJECT / "Containerfile").exists():
        raise PipelineError(
            "an image for Compose is built from the source\n"
            f"expected  a checkout with its Containerfile\nfound     the installed package in {PROJECT}\n"
            "Run this command from a checkout (after `make`), or use systemd instead: w2v unit systemd."
        )
    outermost = dict.fromkeys(each for each in folders if not any(other in each.parents for other in folders))
    return COMPOSE.format(
        project=_yaml(str(PROJECT)),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        command=_yaml(["w2v", *command(service)]),
        user=f"{os.getuid()}:{os.getgid()}",
        directory=_yaml(str(Path.cwd())),
        volumes=_yaml([f"{folder}:{folder}" for folder in outermost]),  # the same paths inside, since runs record them
        environment="\n".join(f"      - {name}" for name in variables(webhook)),
        # Docker keeps the output of a health check, and the links that log a browser in must not be in it
        test=_yaml(["CMD-SHELL", f"w2v status --workspace {shlex.quote(service.workspace)} >/dev/null"]),
    )


def _yaml(value: str | list[str]) -> str:
    """Return the value as YAML, of which JSON is a part; `$` is doubled, since Compose expands it."""
    return json.dumps(value, ensure_ascii=False).replace("$", "$$")


UNITS = {"systemd": systemd, "compose": compose}
