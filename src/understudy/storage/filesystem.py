"""The place of a SQLite file: what it must be, who owns it, and the room that is kept for bad times."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

from understudy.core.errors import StoreUnusable

#: File systems on which SQLite's locks do not hold between machines, or at all.
NETWORK = frozenset(
    {
        "nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ncpfs", "coda", "ceph", "glusterfs",
        "lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs",
        "fuse.rclone", "fuse.davfs", "fuse.curlftpfs", "fuse.mfs", "fuse.gcsfuse", "fuse.goofys", "fuse.smbnetfs",
    }
)  # fmt: skip
#: Room that is given up when the disk is full, so that control data can still be committed, bytes.
RESERVE = 1 << 20

_MOUNTS = Path("/proc/self/mountinfo")
_MAGIC = b"SQLite format 3\x00"


def mounted_as(path: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that `path` lies on; the empty text where that cannot be known."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = Path(fields[4].encode().decode("unicode_escape"))  # a space is written \040
        # Of two mounts on one point the later hides the earlier.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind


def check_place(path: Path, mounts: Path = _MOUNTS) -> None:
    """Make the folder of the file, and see that both can be used.

    Raises:
        StoreUnusable: it cannot; nothing was touched.
    """
    folder = path.parent
    first = next(each for each in (folder, *folder.parents) if each.exists())
    kind = mounted_as(first.resolve(), mounts)
    if kind in NETWORK or str(path).startswith("\\\\"):
        raise StoreUnusable(
            f"{path} lies on a network file system ({kind or 'UNC'}), where SQLite's locks do not hold: "
            "set storage.url to a file on a local disk, or use PostgreSQL"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnusable(
            f"the folder {folder} cannot be made: {error.strerror}; set storage.url to another place"
        ) from None
    if path.exists() and not path.is_file():
        raise StoreUnusable(f"{path} is no file; set storage.url to the path of a file")
    _check_writable(path)


def _check_writable(path: Path) -> None:
    what = path if path.exists() else path.parent
    try:
        if path.exists():
            with path.open("r+b"):
                pass
        # SQLite makes files of its own beside the database.
        probe = path.with_name(path.name + ".probe")
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY, 0o600))
        what = path.parent
        probe.unlink()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            return
        if error.filename is not None and str(error.filename).endswith(".probe"):
            what = path.parent
        raise StoreUnusable(
            f"{what} cannot be written ({error.strerror}): give this user the right to, "
            "or set storage.url to another place"
        ) from None


def create_private(path: Path) -> None:
    """Make an empty file that only its owner may read; an existing one stays as it is."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def is_sqlite(path: Path) -> bool:
    """Whether a file begins as a SQLite database does; an empty one may become one."""
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    return not head or head == _MAGIC


def file_size(path: Path) -> int:
    """Bytes of a file; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def identity(path: Path) -> tuple[int, int] | None:
    """What tells this file from another of the same name; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


class Owner:
    """The right to write a SQLite file, for one process at a time: a lock on a file beside it.

    The system takes it back when the process ends in whatever way.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._database = path
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Become the owner.

        Raises:
            StoreUnusable: another process is, or there is no file at such a place.
        """
        try:
            number = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreUnusable(
                f"{self._path} cannot be made ({error.strerror}): set storage.url to another place"
            ) from None
        file = os.fdopen(number, "r+", encoding="ascii", errors="replace")
        try:
            _lock(file)
        except OSError:
            pid = file.read(20).strip()
            file.close()
            raise StoreUnusable(
                f"{self._database} is in use by another Understudy{f' (process {pid})' if pid else ''}: stop that one, "
                "or give this one another storage.url; several services can share PostgreSQL"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def existed(self) -> bool:
        """Whether some Understudy has owned a database of this name before."""
        return self._path.exists()

    def release(self) -> None:
        """Let another process become the owner."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Reserve:
    """A file beside the database that only takes room; deleting it lets control data be committed on a full disk."""

    def __init__(self, path: Path, size: int = RESERVE) -> None:
        self._path = path.with_name(path.name + ".reserve")
        self._size = size

    def make(self) -> bool:
        """Take the room, all of it or none; whether it is taken."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                return True
            with self._path.open("wb") as file:
                file.write(bytes(self._size))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> bool:
        """Give the room back; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
