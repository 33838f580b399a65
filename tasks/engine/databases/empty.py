"""Empty databases of Prefect and MLflow with all their tables, from SQL: their own migrations take seconds.

`make tables` writes the SQL, from what the migrations of the installed versions make. For another version there is
none, and the migrations run as they do without us.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

TABLES = Path(__file__).parent
MIGRATIONS = {  # each makes the tables of the empty file in the environment variable
    "prefect": ["-m", "prefect", "server", "database", "upgrade", "--yes"],
    "mlflow": ["-c", "import os; from mlflow import MlflowClient; MlflowClient(os.environ['MLFLOW_TRACKING_URI'])"],
}
TOLD = {"prefect": "PREFECT_SERVER_DATABASE_CONNECTION_URL", "mlflow": "MLFLOW_TRACKING_URI"}
DRIVER = {"prefect": "sqlite+aiosqlite", "mlflow": "sqlite"}
OWN = {"mlflow": ("experiments",)}  # tables whose rows name this machine or the moment; MLflow makes them itself


def create(database: Path, program: str) -> bool:
    """Create the missing file with the tables of the installed `prefect` or `mlflow`; return False if it is not made.

    It is there as a whole or not at all, readable by this account alone. Where it cannot be made, as on another disk
    than temporary files, the program's own migrations make it, or say what prevents that.
    """
    made = TABLES / f"{program}.sql"
    if database.exists() or not made.exists():
        return False
    head, _, statements = made.read_text(encoding="utf-8").partition("\n")
    if head != _head(program):
        return False
    with suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory() as folder:
        beside = Path(folder, database.name)
        with closing(sqlite3.connect(beside)) as connection:
            connection.executescript(statements)
        beside.chmod(0o600)
        os.link(beside, database)  # unlike a rename, fails where another process was faster
        return True
    return False


def migrated(database: Path, program: str) -> None:
    """Create the file with the program's own migrations."""
    words = {TOLD[program]: f"{DRIVER[program]}:///{database.absolute()}", "PREFECT_HOME": str(database.parent)}
    subprocess.run([sys.executable, *MIGRATIONS[program]], env=os.environ | words, check=True, capture_output=True)


def dump(database: Path, program: str) -> str:
    """Return the SQL that `create` reads."""
    with closing(sqlite3.connect(database)) as connection:
        return "".join(f"{line}\n" for line in (_head(program), *_statements(connection, OWN.get(program, ()))))


def _head(program: str) -> str:
    return f"-- {program} {version(program)}"


def _statements(connection: sqlite3.Connection, own: tuple[str, ...]) -> Iterator[str]:
    rows = tuple(f'INSERT INTO "{table}" ' for table in own)
    return (statement for statement in connection.iterdump() if not statement.startswith(rows))


def main() -> None:
    for program in MIGRATIONS:
        with tempfile.TemporaryDirectory() as folder:
            database = Path(folder, "made.db")
            migrated(database, program)
            (TABLES / f"{program}.sql").write_text(dump(database, program), encoding="utf-8")


if __name__ == "__main__":
    main()
