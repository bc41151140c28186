"""Real servers for tests: started in a temporary folder, on loopback, ended with the session."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from understudy.core.secrets import Secret
from understudy.storage import StorageOptions
from understudy.storage.postgres_upgrade import upgrade
from understudy.storage.tables import metadata

PASSWORD = "only for tests"


def program(name: str) -> str:
    """Where a program of PostgreSQL is: on PATH, or where Debian puts it."""
    found = shutil.which(name)
    if found is None:
        places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
        found = str(places[0]) if places else None
    if found is None:
        pytest.fail(f"the tests need PostgreSQL's {name}: run tools/setup_test_system.sh, or put it on PATH")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A PostgreSQL cluster of its own, under a user that is not root: the server refuses to run as root."""

    def __init__(self) -> None:
        #: Who the programs run as; None: who we are.
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="understudy-pg-", dir="/tmp"))
        self.port = free_port()
        if self.user is not None:
            try:
                owner = pwd.getpwnam(self.user)
            except KeyError:
                pytest.fail("PostgreSQL does not run as root, and there is no user postgres: run the set-up script")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self.data = self.folder / "data"
        self.run("initdb", "-D", str(self.data), "-U", "tester", "-A", "scram-sha-256", f"--pwfile={secret}",
                 "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip
        # What a test cluster may lose at a loss of power is nobody's.
        (self.data / "postgresql.auto.conf").write_text(
            f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{self.folder}'\n"
            "fsync = off\nfull_page_writes = off\nmax_connections = 60\nshared_buffers = 32MB\n"
            "log_min_messages = fatal\n"
        )
        self._template: str | None = None
        self._emptied: str | None = None
        self._count = 0
        self.start()

    def run(self, name: str, *arguments: str) -> None:
        """Run one of its programs, as its user."""
        done = subprocess.run(
            [program(name), *arguments], user=self.user, group=self.user, cwd=self.folder, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{name}: {done.stdout}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-t", "30", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: `immediate` is as good as a crash."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "30", "stop")

    def url(self, database: str, *, user: str = "tester", port: int | None = None) -> str:
        """The URL of a database, as `storage.url` has it."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements outside any transaction."""
        where = f"host=127.0.0.1 port={self.port} user=tester dbname={database}"
        with psycopg.connect(where, password=PASSWORD, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def new_database(self, template: str | None = None) -> str:
        """An empty database, or a copy of another one that nobody is connected to."""
        self._count += 1
        name = f"test_{self._count}"
        for attempt in range(50):
            try:
                self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
                return name
            except psycopg.errors.ObjectInUse:
                if attempt == 49:
                    raise
                time.sleep(0.1)  # a connection that was closed just now is still being taken down
        raise AssertionError("not reached")

    def options(self, database: str, *, port: int | None = None, **more: Any) -> StorageOptions:
        """The options of a store in a database."""
        return StorageOptions(url=self.url(database, port=port), password=Secret(PASSWORD), **more)

    def with_tables(self) -> str:
        """A new database with nothing but the tables of the newest revision in it."""
        if self._template is None:
            self._template = self.new_database()
            upgrade(self.options(self._template))
        return self.new_database(self._template)

    def emptied(self) -> str:
        """One and the same database, with nothing in its tables: faster to have than a new one."""
        if self._emptied is None:
            self._emptied = self.with_tables()
        names = [name for name in metadata.tables if not name.startswith("hot_")]
        self.execute(f"TRUNCATE {', '.join(names)} RESTART IDENTITY", database=self._emptied)
        return self._emptied

    def close(self) -> None:
        """End the server and take everything away."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this worker."""
    server = Postgres()
    yield server
    server.close()


class PgBouncer:
    """A pooler in front of a server, in its transaction mode: every transaction may meet another session."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self.port = free_port()
        self._folder = server.folder / f"pgbouncer-{self.port}"
        self._folder.mkdir()
        users = self._folder / "users"
        users.write_text(f'"tester" "{PASSWORD}"\n')
        self._settings = self._folder / "pgbouncer.ini"
        self._settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nauth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n"
            f"default_pool_size = 4\nunix_socket_dir =\nlogfile = {self._folder / 'log'}\n"
            "server_login_retry = 0.2\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        if server.user is not None:
            for each in (self._folder, users, self._settings):
                shutil.chown(each, server.user, server.user)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [shutil.which("pgbouncer") or "pgbouncer", str(self._settings)], user=self._server.user,
            group=self._server.user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"pgbouncer does not listen: {(self._folder / 'log').read_text()}")

    def kill(self) -> None:
        """End it at once, with every connection."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None


@pytest.fixture
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    """A pooler in front of the server of this worker."""
    if shutil.which("pgbouncer") is None:
        pytest.fail("the tests need pgbouncer: run tools/setup_test_system.sh, or put it on PATH")
    pooler = PgBouncer(postgres)
    yield pooler
    pooler.kill()
