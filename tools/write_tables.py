"""Writes the SQL that makes a new SQLite file from what the revisions amount to; run it when a revision was added."""

from __future__ import annotations

from understudy.storage.schema import REVISIONS


def main() -> None:
    """Write the file of the newest revision in place of those of earlier ones."""
    for old in REVISIONS.folder.glob("new_sqlite_*.sql"):
        old.unlink()
    REVISIONS.script("sqlite").write_text(REVISIONS.new_sql("sqlite"), encoding="utf-8")


if __name__ == "__main__":
    main()
