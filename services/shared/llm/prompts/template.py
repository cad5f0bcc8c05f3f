"""A prompt template: immutable words with a version and a hash; the text is data, not code.

Templates live as rows (seeded by migration, added through the api); a worker renders from the
row. `schema_version` names the code that renders and parses them: a row written for another
schema is refused, never half understood.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from services.shared.canonical import content_hash
from services.shared.errors import InvalidError

View = Literal["user", "item"]
VIEWS: tuple[View, ...] = get_args(View)

SCHEMA_VERSIONS = (1, 2)
"""Placeholders, message order and reply schema that this code knows. A question of the second
carries a reference, which its reply repeats."""

REFERENCED = 2

SHARED_PLACEHOLDER: dict[View, str] = {"user": "{user}", "item": "{liked}"}
ITEM_PLACEHOLDER, REFERENCE_PLACEHOLDER = "{item}", "{reference}"
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """One version of one prompt.

    `system` is sent as it is. `user` holds placeholders in this order: the user's part (`{user}`
    in the user view, `{liked}` in the item view), `{item}`, and, from the second schema on,
    `{reference}`. The order is fixed because servers cache prefixes: everything that all items of
    one user share comes first.
    Raises InvalidError when the placeholders or the schema version do not fit.
    """

    name: str
    version: int
    view: View
    system: str
    user: str
    schema_version: int = 1

    def __post_init__(self) -> None:
        if self.schema_version not in SCHEMA_VERSIONS:
            raise InvalidError(
                f"Prompt {self.name} has schema {self.schema_version}; this code reads "
                f"{' and '.join(map(str, SCHEMA_VERSIONS))}.",
                pointer="/schema_version",
            )
        wanted = [SHARED_PLACEHOLDER[self.view], ITEM_PLACEHOLDER]
        wanted += [REFERENCE_PLACEHOLDER] if self.referenced else []
        found = _PLACEHOLDER.findall(self.user)
        if found != wanted:
            raise InvalidError(
                f"The {self.view} view needs {' and then '.join(wanted)}, once each; "
                f"found {', '.join(found) or 'none'}.",
                pointer="/user",
            )

    @property
    def referenced(self) -> bool:
        """Say whether questions carry a reference and replies repeat it."""
        return self.schema_version >= REFERENCED

    @property
    def sha256(self) -> str:
        """Return the hash of everything that shapes the prompt; its name and version do not."""
        return content_hash(
            {
                "view": self.view,
                "schema_version": self.schema_version,
                "system": self.system,
                "user": self.user,
            }
        )

    def fill(self, *, shared: str, item: str, reference: str) -> str:
        """Return the user message; a text that looks like a placeholder stays a text."""
        parts = {
            SHARED_PLACEHOLDER[self.view]: shared,
            ITEM_PLACEHOLDER: item,
            REFERENCE_PLACEHOLDER: reference,
        }
        return _PLACEHOLDER.sub(lambda found: parts[found.group()], self.user)
