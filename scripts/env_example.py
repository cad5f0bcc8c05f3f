"""Print .env.example: every setting, and what docker-compose.yml asks for beside them."""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from services.shared.settings import Settings

HEAD = """\
# Every setting of every service. `winnow up` sets what it needs by itself; with services of your
# own, set these. A commented line shows the default. Secrets have none.
"""

COMPOSE = {
    "COMPOSE_PROFILES": ("", "local: the stand-in for a language model; gpu: a trainer on a GPU"),
    "POSTGRES_ADMIN_PASSWORD": (None, "superuser: bootstrap; in all four hexadecimal, for URLs"),
    "POSTGRES_OWNER_PASSWORD": (None, "role winnow_owner"),
    "POSTGRES_APP_PASSWORD": (None, "role winnow_app"),
    "POSTGRES_INGEST_PASSWORD": (None, "role winnow_ingest"),
    "VALKEY_PASSWORD": (None, "hexadecimal as well"),
    "API_ADDRESS": ("127.0.0.1", "where the host publishes the api; 0.0.0.0 is everywhere"),
    "API_PORT": ("8080", "on the host"),
    "CPU_TRAINERS": ("1", "0 where a GPU trains"),
    "TORCH_INDEX": ("https://pypi.org/simple", "of trainer-gpu: where a torch for CUDA is"),
    "POSTGRES_MEMORY": ("2g", "most memory of a container"),
    "VALKEY_MEMORY": ("512m", ""),
    "API_MEMORY": ("2g", ""),
    "API_WORKER_MEMORY": ("4g", "its parser alone may take WINNOW_LIMITS__PARSE_MEMORY_BYTES"),
    "LLM_WORKER_MEMORY": ("2g", ""),
    "TRAINER_MEMORY": ("8g", ""),
    "SCORER_MEMORY": ("4g", "WINNOW_SCORER_MEMORY_BYTES of models, and what requests need"),
    "LOCAL_LLM_MEMORY": ("2g", ""),
}
"""Name: default and meaning; None for a secret, which has no default."""

COMPOSE_HEAD = """
# Read by docker-compose.yml alone, which takes addresses and database URLs from itself;
# `python3 scripts/compose_env.py` writes a working .env for it.
"""


def main() -> int:
    """Print the file, or with --check compare it with the one in the tree."""
    text = HEAD + "".join(lines("WINNOW_", Settings.model_fields))
    text += COMPOSE_HEAD + "".join(compose_lines())
    if "--check" in sys.argv:
        return int(Path(".env.example").read_text(encoding="utf-8") != text)
    sys.stdout.write(text)
    return 0


def lines(prefix: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    """Yield a comment and a line for each setting, a group after a blank line."""
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield f"\n# {(type(default).__doc__ or '').strip()}\n"
            yield from lines(f"{prefix}{name.upper()}__", type(default).model_fields)
        else:
            if field.description:
                yield f"# {field.description}\n"
            yield f"{_line(prefix + name.upper(), field, default)}\n"


def compose_lines() -> Iterator[str]:
    """Yield a comment and a line for each variable of docker-compose.yml that is no setting."""
    for name, (default, meaning) in COMPOSE.items():
        if meaning:
            yield f"# {meaning}\n"
        yield f"# {name}={default}\n" if default else f"{name}=\n"


def _line(name: str, field: FieldInfo, default: object) -> str:
    if "SecretStr" in str(field.annotation) or isinstance(default, SecretStr) or default is None:
        return f"{name}="
    if isinstance(default, frozenset):
        default = ",".join(sorted(default))
    return f"# {name}={default}" if default != "" else f"{name}="


if __name__ == "__main__":
    sys.exit(main())
