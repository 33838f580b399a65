"""Who may reach the servers: the address they listen on, the names they answer to, and their passwords.

Passwords come from the environment and go to the environment of the servers: into no file, log or command line.
"""

import errno
import os
import secrets
import socket
from pathlib import Path

import psutil

from configs.loading import ConfigError
from flows.access.guard import authorities
from tasks.errors import PipelineError
from tasks.tracking.database_paths import address_of

LOOPBACK = "127.0.0.1"
PROXIES = "W2V_ALLOWED_HOSTS"  # names of proxies, with a port unless it is the usual one
PREFECT_PASSWORD = "PREFECT_API_AUTH_STRING"  # as clients know it: NAME:PASSWORD
MLFLOW_NAME, MLFLOW_PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"


def check_ports(host: str, ports: dict[str, int]) -> None:
    """Raises PipelineError, which says who is in the way, if a server could not listen."""
    for server, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    found = _in_the_way(port) or error.strerror
                    way = f"Stop that program, or choose another port: --{server}-port {port + 1}"
                else:
                    found = error.strerror
                    way = f"Name an address of this machine ({', '.join(names('0.0.0.0'))}), and a port above 1023."
                raise PipelineError(f"{server} cannot listen on {host}:{port}\nfound     {found}\n{way}") from error


def _in_the_way(port: int) -> str:
    """The program that listens on the port, as far as we may know it."""
    try:
        listening = [each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN]
        pid = next((each.pid for each in listening if each.laddr.port == port), None)
        return f"process {pid} listens there: {' '.join(psutil.Process(pid).cmdline()[:6])}" if pid else ""
    except psutil.Error:  # another user's, or another system
        return ""


def names(host: str) -> list[str]:
    """What this machine is called by whoever may reach it."""
    local = ["localhost", LOOPBACK]
    if host == LOOPBACK:
        return local
    interfaces = psutil.net_if_addrs().values()
    addresses = [each.address for every in interfaces for each in every if each.family == socket.AF_INET]
    own = [socket.gethostname(), socket.getfqdn(), *addresses] if host == "0.0.0.0" else [host]
    return list(dict.fromkeys([*local, *own]))


def hosts(host: str, port: int) -> list[str]:
    """What `Host` may say of a server at the port, a proxy's names included."""
    proxies = os.environ.get(PROXIES, "").replace(",", " ").split()
    return [*authorities(names(host), port), *proxies]


def prefect_password() -> str:
    """NAME:PASSWORD that the user has given, if any. Raises PipelineError if it has no name in it."""
    known = os.environ.get(PREFECT_PASSWORD, "")
    if known and ":" not in known:
        raise PipelineError(f"{PREFECT_PASSWORD} is not of the form NAME:PASSWORD.")
    return known


def mlflow_passwords() -> dict[str, str]:
    """What MLflow's server calls by other names than its clients, where the user has given both.

    Raises PipelineError if there is a password without a name, or a name without one.
    """
    name, password = os.environ.get(MLFLOW_NAME), os.environ.get(MLFLOW_PASSWORD)
    if bool(name) != bool(password):
        raise PipelineError(f"{MLFLOW_NAME} and {MLFLOW_PASSWORD} belong together\nSet both, or none.")
    if not name or not password:
        return {}
    key = os.environ.get("MLFLOW_FLASK_SERVER_SECRET_KEY") or secrets.token_hex(32)
    return {
        "MLFLOW_AUTH_ADMIN_USERNAME": name,
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key,
    }


def passwords_asked_for() -> list[str]:
    """The variables that clients need."""
    return [
        *([PREFECT_PASSWORD] if prefect_password() else []),
        *([MLFLOW_NAME, MLFLOW_PASSWORD] if mlflow_passwords() else []),
    ]


def keep_users(folder: Path) -> dict[str, str]:
    """Have MLflow keep its users, whose passwords it hashes, in a file of the folder; what tells it so."""
    said = folder / "mlflow-auth.ini"
    database = address_of(folder / "mlflow-auth.db").replace("%", "%%")  # as an INI file has it
    said.write_text(f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\n", encoding="utf-8")
    return {"MLFLOW_AUTH_CONFIG_PATH": str(said)}


def check_passwords(host: str) -> None:
    """Raises ConfigError if others are to reach the servers, and the user has not given both passwords."""
    given = passwords_asked_for()
    missing = [name for name in (PREFECT_PASSWORD, MLFLOW_NAME, MLFLOW_PASSWORD) if name not in given]
    if host != LOOPBACK and missing:
        raise ConfigError(
            f"--expose {host}: nobody is let in without a password\n"
            f"expected  {PREFECT_PASSWORD}=NAME:PASSWORD, {MLFLOW_NAME} and {MLFLOW_PASSWORD}\n"
            f"found     no {' and no '.join(missing)}\n"
            f"Set them, as docs/how-to/access.md says, or leave the servers on {LOOPBACK}."
        )


def what_is_open(host: str, ports: dict[str, int]) -> str:
    """What whoever reaches the machine may do, in words."""
    who = "whoever can reach this machine" if host == "0.0.0.0" else f"whoever can reach {host}"
    able = {
        "prefect": "see and start the deployments, and change what they do, which is to run programs as this user",
        "mlflow": "read, change and delete runs and models",
    }
    lines = [
        f"  {server:<8} port {port}: {who} and knows the password can {able[server]}" for server, port in ports.items()
    ]
    return "\n".join(["open beyond this machine, without encryption:", *lines])
