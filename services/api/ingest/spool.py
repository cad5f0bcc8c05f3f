"""The folder of uploads on their way in: written whole, named after project and import."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from services.shared import disk
from services.shared.errors import TooLargeError, UnavailableError
from services.shared.settings import settings

PART = ".part"


@dataclass(frozen=True)
class Spooled:
    """A received file."""

    path: Path
    size: int
    sha256: bytes


class Spooling:
    """Receives one file: hashes it, bounds it, and puts it in its place when it is whole."""

    def __init__(self, path: Path, *, limit: int) -> None:
        self._path = path
        self._part = path.with_name(path.name + PART)
        self._limit = limit
        self._size = 0
        self._hash = hashlib.sha256()
        with _told_when_full():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("xb")

    def write(self, block: bytes) -> None:
        """Append a block; TooLargeError over the limit, UnavailableError when the disk is full."""
        self._size += len(block)
        if self._size > self._limit:
            raise over(self._limit)
        self._hash.update(block)
        with _told_when_full():
            self._file.write(block)

    def finish(self) -> Spooled:
        """Return the file, durable and in its place."""
        with _told_when_full():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.rename(self._path)
            fsync_folder(self._path.parent)
        return Spooled(self._path, self._size, self._hash.digest())

    def forget(self) -> None:
        """Remove whatever was received."""
        self._file.close()
        self._part.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)


def folder() -> Path:
    """Return the folder of received files; beside it lie other things on their way."""
    return Path(settings().require("spool_dir")) / "uploads"


def name_for(project_id: UUID, import_id: UUID) -> str:
    """Return the name of an import's file: it alone tells whose it is."""
    return f"{project_id}_{import_id}"


def is_kept(name: str) -> bool:
    """Say whether a received file is still there."""
    return (folder() / name).is_file()


def owner_of(name: str) -> tuple[UUID, UUID] | None:
    """Return the project and import that a file belongs to; None for what is not ours."""
    project, _, ident = name.partition("_")
    try:
        return UUID(project), UUID(ident[:36])
    except ValueError:
        return None


def over(limit: int) -> TooLargeError:
    """Return the error of an upload over the limit."""
    return TooLargeError(f"The upload is over the limit of {limit:,} bytes.")


def old_entries(*, older_than_seconds: float) -> Iterator[Path]:
    """Yield files and folders that were not touched for so long."""
    before = time.time() - older_than_seconds
    found = folder()
    for path in sorted(found.iterdir()) if found.is_dir() else []:
        try:
            if path.stat().st_mtime < before:
                yield path
        except FileNotFoundError:  # its worker was quicker
            continue


def remove_all(name: str) -> None:
    """Remove an import's file and the folders in which it was worked on."""
    for path in folder().glob(f"{name}*"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder; nothing there is no error."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def fsync_folder(path: Path) -> None:
    """Force a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not disk.is_full(error):
            raise
        detail = (
            "There is no room left on the disk that receives uploads (WINNOW_SPOOL_DIR); "
            "send the file again once there is."
        )
        raise UnavailableError("disk", retry_after=60, detail=detail) from error
