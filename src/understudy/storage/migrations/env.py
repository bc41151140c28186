"""What Alembic runs: on the connection that was handed over, or only writing SQL for one dialect."""

from __future__ import annotations

from typing import Any

from alembic import context

from understudy.storage.schema import ours
from understudy.storage.tables import metadata


def run() -> None:
    """Offline when no connection was handed over."""
    connection = context.config.attributes.get("connection")
    options: dict[str, Any] = {"target_metadata": metadata, "compare_type": True}
    if connection is None:
        dialect = context.config.attributes["dialect"]
        context.configure(
            dialect_name=dialect, as_sql=True, literal_binds=True, include_object=ours(dialect), **options
        )
    else:
        context.configure(connection=connection, include_object=ours(connection.dialect.name), **options)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file
    run()
