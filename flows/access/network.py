"""Network access to the servers: the address they listen on, the names they answer to, and their passwords.

Passwords are passed from our environment to the servers' environment; they are in no file, log or command line.
"""

import errno
import os
import secrets
import socket
from pathlib import Path

import psutil

from configs.loading import ConfigError
from flows.access.headers import authorities
from tasks.errors import PipelineError
from tasks.tracking.database_paths import address_of

LOOPBACK = "127.0.0.1"
PROXIES = "W2V_ALLOWED_HOSTS"  # names of proxies, with the port unless it is 80 or 443
PREFECT_PASSWORD = "PREFECT_API_AUTH_STRING"  # the clients' variable: NAME:PASSWORD
MLFLOW_NAME, MLFLOW_PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"


def check_ports(host: str, ports: dict[str, int]) -> None:
    """Raise PipelineError if a server could not listen on its port, and name the program that does."""
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
    """Return the program that listens on the port, or "" if we may not see it."""
    try:
        listening = [each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN]
        pid = next((each.pid for each in listening if each.laddr.port == port), None)
        return f"process {pid} listens there: {' '.join(psutil.Process(pid).cmdline()[:6])}" if pid else ""
    except psutil.Error:  # another user's process, or a system that does not tell
        return ""


def names(host: str) -> list[str]:
    """Return the names and addresses by which the server can be reached."""
    local = ["localhost", LOOPBACK]
    if host == LOOPBACK:
        return local
    interfaces = psutil.net_if_addrs().values()
    addresses = [each.address for every in interfaces for each in every if each.family == socket.AF_INET]
    own = [socket.gethostname(), socket.getfqdn(), *addresses] if host == "0.0.0.0" else [host]
    return list(dict.fromkeys([*local, *own]))


def hosts(host: str, port: int) -> list[str]:
    """Return the allowed values of `Host` for a server at the port, with the names of proxies."""
    proxies = os.environ.get(PROXIES, "").replace(",", " ").split()
    return [*authorities(names(host), port), *proxies]


def prefect_password() -> str:
    """Return the user's NAME:PASSWORD, or "". Raises PipelineError if it has no name."""
    known = os.environ.get(PREFECT_PASSWORD, "")
    if known and ":" not in known:
        raise PipelineError(f"{PREFECT_PASSWORD} is not of the form NAME:PASSWORD.")
    return known


def mlflow_passwords() -> dict[str, str]:
    """Return MLflow's admin credentials as the server's environment variables, or nothing if the user sets none.

    Raises PipelineError if only one of name and password is set.
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
    """Return the variables with passwords that clients need."""
    return [
        *([PREFECT_PASSWORD] if prefect_password() else []),
        *([MLFLOW_NAME, MLFLOW_PASSWORD] if mlflow_passwords() else []),
    ]


def keep_users(folder: Path) -> dict[str, str]:
    """Let MLflow keep its users, with hashed passwords, in a database of the folder; return the variable for that."""
    said = folder / "mlflow-auth.ini"
    database = address_of(folder / "mlflow-auth.db").replace("%", "%%")  # INI files escape %
    said.write_text(f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {database}\n", encoding="utf-8")
    return {"MLFLOW_AUTH_CONFIG_PATH": str(said)}


def check_passwords(host: str) -> None:
    """Raise ConfigError if other machines may reach the servers and a password is missing."""
    given = passwords_asked_for()
    missing = [name for name in (PREFECT_PASSWORD, MLFLOW_NAME, MLFLOW_PASSWORD) if name not in given]
    if host != LOOPBACK and missing:
        raise ConfigError(
            f"--expose {host}: the servers need passwords\n"
            f"expected  {PREFECT_PASSWORD}=NAME:PASSWORD, {MLFLOW_NAME} and {MLFLOW_PASSWORD}\n"
            f"found     no {' and no '.join(missing)}\n"
            f"Set them (docs/how-to/access.md), or leave the servers on {LOOPBACK}."
        )


def what_is_open(host: str, ports: dict[str, int]) -> str:
    """Return a warning about what callers from other machines can do."""
    who = "anyone who can reach this machine" if host == "0.0.0.0" else f"anyone who can reach {host}"
    able = {
        "prefect": "start deployments and change them, and so run any program as this user",
        "mlflow": "read, change and delete runs and models",
    }
    lines = [
        f"  {server:<8} port {port}: {who} and knows the password can {able[server]}" for server, port in ports.items()
    ]
    return "\n".join(["open to other machines, without encryption:", *lines])
