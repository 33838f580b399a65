"""Empty databases from SQL: the same tables as those that the programs' own migrations make."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tasks.engine.databases import empty


def contents(database: Path, program: str) -> dict[str, object]:
    """Return the lines of the definition of each table and index, and the rows that are the same on each machine.

    The lines are sorted: Prefect's migrations write a table's constraints in an order that differs from time to time.
    """
    with closing(sqlite3.connect(database)) as connection:
        defined = connection.execute("SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_master").fetchall()
        found: dict[str, object] = {name: sorted(re.split(r",?\s*\n\s*", sql)) for name, sql in defined}
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table not in empty.OWN.get(program, ()):
                found[f"rows of {table}"] = sorted(connection.execute(f'SELECT * FROM "{table}"'))
    return found


@pytest.mark.parametrize("program", empty.MIGRATIONS)
def test_the_tables_are_those_of_the_migrations(program: str, tmp_path: Path) -> None:
    """After a change of the lock: `make tables`."""
    database, migrated = tmp_path / "made.db", tmp_path / "migrated.db"
    empty.migrated(migrated, program)

    assert empty.create(database, program)
    assert contents(database, program) == contents(migrated, program)
    assert database.stat().st_mode & 0o777 == 0o600


def test_another_version_runs_its_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SQL of one version is not used by another one."""
    monkeypatch.setattr(empty, "version", lambda program: "99.0")

    assert not empty.create(tmp_path / "made.db", "prefect")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_there_stays(tmp_path: Path) -> None:
    """Also one that another process made in the meantime."""
    (tmp_path / "made.db").write_bytes(b"kept")

    assert not empty.create(tmp_path / "made.db", "prefect")
    assert (tmp_path / "made.db").read_bytes() == b"kept"
