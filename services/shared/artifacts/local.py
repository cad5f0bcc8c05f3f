"""A store in a local folder: fsync everything, then one rename makes it visible."""

import errno
import os
import shutil
import uuid
from pathlib import Path

TMP = ".tmp"


class LocalFiles:
    """Folders under one root; temporary ones wait in `.tmp` on the same file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def scratch(self) -> Path:
        """Return a new empty folder that nobody else sees as published."""
        folder = self.root / TMP / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def read(self, path: str) -> bytes:
        """Return a small file's bytes; raises FileNotFoundError."""
        return (self.root / path).read_bytes()

    def folder(self, path: str) -> Path:
        """Return where a published folder lies."""
        return self.root / path

    def publish(self, scratch: Path, path: str) -> bool:
        """Move a complete folder to its place, durable before this returns.

        Return False, and change nothing, when a folder stands there already.
        """
        fsync_tree(scratch)
        target = self.root / path
        self._make_parents(target.parent)
        try:
            scratch.rename(target)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            return False
        fsync(target.parent)
        return True

    def delete(self, path: str) -> None:
        """Remove a folder; it is out of sight at once, and its files go after."""
        target = self.root / path
        (self.root / TMP).mkdir(parents=True, exist_ok=True)
        doomed = self.root / TMP / uuid.uuid4().hex
        try:
            target.rename(doomed)
        except FileNotFoundError:
            return
        fsync(target.parent)
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self, *, before: float) -> int:
        """Remove leftovers last touched before this Unix time; return how many."""
        tmp = self.root / TMP
        old = [f for f in tmp.iterdir() if _touched(f) < before] if tmp.is_dir() else []
        for folder in old:
            shutil.rmtree(folder, ignore_errors=True)
        return len(old)

    def _make_parents(self, folder: Path) -> None:
        missing = [f for f in (folder, *folder.parents) if not f.exists()]
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
            fsync(parent.parent)


def fsync(path: Path) -> None:
    """Force a file's bytes, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_tree(folder: Path) -> None:
    """Force all files below a folder to the disk, then the folders, innermost first."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            fsync(Path(parent, name))
        fsync(Path(parent))


def _touched(folder: Path) -> float:
    """Return when anything in the folder was last changed: a long write is no leftover."""
    try:
        times = [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
    except FileNotFoundError:  # it is being published or removed right now
        return float("inf")
    return max(times)
