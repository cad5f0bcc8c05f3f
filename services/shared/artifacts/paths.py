"""Names that may stand in a store: relative, plain, and never a way out of it."""

import re
from pathlib import PurePosixPath

from services.shared.errors import InvalidError

_SEGMENT = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]{0,199}")


def safe_path(path: str) -> str:
    """Return the relative path; raises InvalidError unless every segment is a plain name.

    A segment starts with no dot (so neither `..` nor the store's own `.tmp`) and holds letters,
    digits and `._=+@-` only: the same name is then good on every file system and object store.
    """
    segments = path.split("/")
    if len(path) > 1_000 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise InvalidError(f"{path!r} is no path of the artefact store.")
    return str(PurePosixPath(*segments))
