"""The tables' revisions: which one a database has, how it gets the newest, and whether it is as described."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from .tables import HEAD, metadata

if TYPE_CHECKING:
    from alembic.config import Config

#: The name of a part of a partitioned table ends so.
_PART = re.compile(r"_p\d+$")


@dataclass(frozen=True, slots=True)
class Revisions:
    """A folder of revisions, and the newest of them."""

    folder: Path
    head: str

    def known(self) -> list[str]:
        """Every revision of this version, oldest first."""
        from alembic.script import ScriptDirectory

        script = ScriptDirectory.from_config(self._config())
        return [each.revision for each in reversed(list(script.walk_revisions()))]

    def knows(self, found: str) -> bool:
        """Whether this version can use or upgrade a database of that revision."""
        return found == self.head or found in self.known()

    def upgrade(self, connection: Connection) -> None:
        """Bring the tables to the newest revision, in the transaction that the connection is in."""
        from alembic import command

        command.upgrade(self._config(connection=connection), "head")

    def make(self, connection: Connection) -> None:
        """Make the newest tables in an empty database, in the transaction that the connection is in.

        A new SQLite file is made from what the revisions amount to: importing Alembic for it would take a third of
        a second and memory for as long as the service runs.
        """
        script = self.script(connection.dialect.name)
        if not script.exists():
            self.upgrade(connection)
            return
        for statement in script.read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)

    def script(self, dialect: str) -> Path:
        """Where the SQL is that makes the newest tables in an empty database of a dialect, if there is such a file."""
        return self.folder / f"new_{dialect}_{self.head}.sql"

    def upgrade_sql(self, dialect: str, since: str | None) -> str:
        """What `upgrade` would do, as SQL for people to run."""
        from alembic import command

        out = io.StringIO()
        config = self._config(dialect=dialect)
        config.output_buffer = out
        command.upgrade(config, f"{since}:head" if since else "head", sql=True)
        return out.getvalue()

    def new_sql(self, dialect: str) -> str:
        """What `make` reads: `upgrade_sql` from nothing, without the remarks."""
        lines = [line.rstrip() for line in self.upgrade_sql(dialect, None).splitlines() if not line.startswith("--")]
        return "\n".join(line for line in lines if line) + "\n"

    def _config(self, **attributes: Any) -> Config:
        # Imported late: most starts need no revision at all.
        from alembic.config import Config

        config = Config(stdout=io.StringIO())
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes.update(attributes)
        return config


REVISIONS = Revisions(Path(__file__).parent / "migrations", HEAD)


def revision(connection: Connection) -> str | None:
    """The revision that a database has; the empty text when it has tables that are not ours, None when it has none."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found is not None:
            return str(found)
    return "" if tables - {"alembic_version"} else None


def drift(connection: Connection) -> list[str]:
    """What a database of the newest revision has otherwise than `tables` describes it."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"include_object": ours(connection.dialect.name), "compare_type": True}
    return [str(each) for each in compare_metadata(MigrationContext.configure(connection, opts=options), metadata)]


def ours(dialect: str) -> Callable[..., bool]:
    """What a comparison with `tables` looks at: no parts of tables, nothing that the dialect does without."""
    on_sqlite = dialect == "sqlite"

    def wanted(thing: Any, name: str | None, kind: str, reflected: bool, compared: Any) -> bool:
        del thing, compared
        if kind == "table" and name is not None:
            return not (reflected and _PART.search(name)) and (on_sqlite or not name.startswith("hot_"))
        return not (kind == "index" and on_sqlite and name is not None and name.startswith("ix_roll_"))

    return wanted
