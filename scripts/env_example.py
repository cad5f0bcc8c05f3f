"""Print .env.example: every setting of every service, with its meaning and default."""

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


def main() -> int:
    """Print the file, or with --check compare it with the one in the tree."""
    text = HEAD + "".join(lines("WINNOW_", Settings.model_fields))
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


def _line(name: str, field: FieldInfo, default: object) -> str:
    if "SecretStr" in str(field.annotation) or isinstance(default, SecretStr) or default is None:
        return f"{name}="
    if isinstance(default, frozenset):
        default = ",".join(sorted(default))
    return f"# {name}={default}" if default != "" else f"{name}="


if __name__ == "__main__":
    sys.exit(main())
