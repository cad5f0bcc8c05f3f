"""How root starts Postgres, which refuses to run as root: a user namespace, or user 65534."""

import os
import subprocess
from pathlib import Path

from winnow.errors import RootRefusedError

NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
NOBODY = 65534
SETPRIV = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def command_prefix(folder: Path, *, program: Path) -> tuple[str, ...]:
    """Return the words before `program` that let it run as no root and write to `folder`.

    An ordinary user needs none. Root takes a user namespace, in which its own files seem to
    belong to user 1000: nothing is created or opened. Where the kernel refuses one, the folder
    is given to user 65534.

    Raises:
        RootRefusedError: neither way works here.
    """
    if os.geteuid() != 0:
        return ()
    if _works(*NAMESPACE, str(program), "--version"):
        return NAMESPACE
    _give_to_nobody(folder)
    if _works(*SETPRIV, "test", "-w", str(folder)) and _works(*SETPRIV, str(program), "--version"):
        return SETPRIV
    raise RootRefusedError(
        f"Postgres refuses to run as root, this machine refuses user namespaces, and user {NOBODY} "
        f"can not reach both {folder} and {program}: run winnow as an ordinary user, or put "
        "the checkout and WINNOW_HOME below folders that others may enter (/var/tmp, /opt)."
    )


def _works(*command: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except OSError:
        return False
    return done.returncode == 0


def _give_to_nobody(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    folder.parent.chmod(0o711)  # to be entered, not to be listed
