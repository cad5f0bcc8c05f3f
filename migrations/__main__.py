"""python -m migrations bootstrap | upgrade [REVISION] | downgrade REVISION | check."""

import sys

from migrations import bootstrap, run
from services.shared.settings import settings


def main(arguments: list[str]) -> int:
    """Do what the first word says; 2 when it says nothing known, 1 when the check finds drift."""
    match arguments:
        case ["bootstrap"]:
            bootstrap.bootstrap()
        case ["upgrade", *revision]:
            run.upgrade(settings().require("owner_database_url"), *revision[:1])
        case ["downgrade", revision]:
            run.downgrade(settings().require("owner_database_url"), revision)
        case ["check"]:
            return _tell(run.drift(settings().require("owner_database_url")))
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    return 0


def _tell(drift: list[object]) -> int:
    for change in drift:
        sys.stderr.write(f"{change}\n")
    return int(bool(drift))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
