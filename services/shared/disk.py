"""Full disks: recognised whatever library met one, and named by the setting that leads there."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from services.shared.errors import DiskFullError, WinnowError
from services.shared.settings import settings

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

PLENTY = 16
"""Times `disk_room_bytes`: a disk with so much free was full for a moment, or by a quota; on one
with less, more must be free than is now."""

EXIT_CODE = 73
"""How a child process of ours says that it met a full disk (EX_CANTCREAT of sysexits.h)."""

_WORDS = tuple(f"os error {number}" for number in sorted(FULL)) + tuple(
    os.strerror(number).lower() for number in sorted(FULL)
)


def is_full(error: BaseException) -> bool:
    """Say whether a full disk is behind the error; polars and safetensors tell it only in words."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, DBAPIError):  # of Postgres' own disk
        if isinstance(seen, DiskFullError) or (isinstance(seen, OSError) and seen.errno in FULL):
            return True
        ours = isinstance(seen, WinnowError)  # may quote what a caller sent
        if not ours and any(word in str(seen).lower() for word in _WORDS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def told(*, written: int = 0) -> DiskFullError:
    """Return the error that names the disk which was full just now.

    `written` is what the work had put there before it was stopped, in bytes: so much more than
    `disk_room_bytes` must be free before another try is worth it.
    """
    needs = written + settings().disk_room_bytes
    if not _short(needs):  # what was written is gone already
        free = min(shutil.disk_usage(folder).free for folder in _folders().values())
        needs += free if free < PLENTY * settings().disk_room_bytes else 0
    return DiskFullError(_sentence(_short(needs), needs), needs=needs)


@contextmanager
def named(*folders: Path) -> Iterator[None]:
    """Turn a full disk's error within the block into one that names the disk and its setting.

    What lies in `folders` by then will have to find room again.
    """
    try:
        yield
    except DiskFullError:  # told already
        raise
    except Exception as error:
        if not is_full(error):
            raise
        raise told(written=sum(map(size_of, folders))) from error


def shortage(needs: int) -> DiskFullError | None:
    """Return what is still wrong where `needs` bytes must be free; None when there is room."""
    short = _short(needs)
    return DiskFullError(_sentence(short, needs), needs=needs) if short else None


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder, 0 when it is gone."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _sentence(short: list[str], needs: int) -> str:
    where = " and ".join(short) or "WINNOW_ARTIFACTS_URL or WINNOW_SPOOL_DIR"
    return (
        f"There is no room left on the disk of {where}; "
        f"the job goes on by itself once {needs / 2**20:,.1f} MiB are free there."
    )


def _short(needs: int) -> list[str]:
    return [name for name, folder in _folders().items() if not _has_room(folder, needs)]


def _folders() -> dict[str, Path]:
    """Return the folders on this host that stages and imports write to, by their setting."""
    folders = {"WINNOW_SPOOL_DIR": settings().spool_dir or Path(tempfile.gettempdir())}
    scheme, _, root = settings().artifacts_url.rpartition("://")
    if root and scheme in {"", "file", "local"}:  # an object store has no disk of ours
        folders["WINNOW_ARTIFACTS_URL"] = Path(root)
    return folders


def _has_room(folder: Path, needs: int) -> bool:
    """Try it as well: neither quotas nor reserved blocks show in the count of free ones."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < needs:
            return False
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, min(needs, settings().disk_room_bytes))
    except OSError as error:
        if error.errno not in FULL:
            raise
        return False
    return True
