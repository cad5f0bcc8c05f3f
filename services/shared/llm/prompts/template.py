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

SCHEMA_VERSION = 1
"""Placeholders, message order and reply schema of this code."""

SHARED_PLACEHOLDER: dict[View, str] = {"user": "{user}", "item": "{liked}"}
ITEM_PLACEHOLDER = "{item}"
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True, kw_only=True)
class PromptTemplate:
    """One version of one prompt.

    `system` is sent as it is. `user` holds two placeholders, in this order: the user's part
    (`{user}` in the user view, `{liked}` in the item view), then `{item}`. The order is fixed
    because servers cache prefixes: everything that all items of one user share comes first.
    Raises InvalidError when the placeholders or the schema version do not fit.
    """

    name: str
    version: int
    view: View
    system: str
    user: str
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise InvalidError(
                f"Prompt {self.name} has schema {self.schema_version}; this code reads "
                f"{SCHEMA_VERSION}.",
                pointer="/schema_version",
            )
        wanted = [SHARED_PLACEHOLDER[self.view], ITEM_PLACEHOLDER]
        found = _PLACEHOLDER.findall(self.user)
        if found != wanted:
            raise InvalidError(
                f"The {self.view} view needs {wanted[0]} and then {wanted[1]}, once each; "
                f"found {', '.join(found) or 'none'}.",
                pointer="/user",
            )

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

    def fill(self, *, shared: str, item: str) -> str:
        """Return the user message; a text that looks like a placeholder stays a text."""
        parts = {SHARED_PLACEHOLDER[self.view]: shared, ITEM_PLACEHOLDER: item}
        return _PLACEHOLDER.sub(lambda found: parts[found.group()], self.user)
