"""Are the container files sound? Each Dockerfile by hadolint, the compose file by its schema.

Answered without an engine and offline: both come with the developer's environment. What a schema
can not see (every queue has its process, who may know which secret) is asked in tests/containers.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sysconfig.get_path("scripts"))
COMPOSE = "docker-compose.yml"
SCHEMA = "vendor.compose-spec"


def commands(root: Path = ROOT) -> list[list[str]]:
    """Return the linters' command lines; one for all Dockerfiles, one for the compose file."""
    dockerfiles = sorted(str(path.relative_to(root)) for path in root.glob("services/*/Dockerfile"))
    if not dockerfiles:
        sys.exit("There is no services/*/Dockerfile.")
    return [
        [str(BIN / "hadolint"), *dockerfiles],
        [str(BIN / "check-jsonschema"), "--quiet", "--builtin-schema", SCHEMA, COMPOSE],
    ]


def main() -> int:
    """Run them all, even after a failure; 1 when one of them complains."""
    failed = [command for command in commands() if subprocess.call(command, cwd=ROOT) != 0]
    print("container files: complaints" if failed else "container files: sound")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
