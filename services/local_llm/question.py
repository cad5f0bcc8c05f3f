"""What a prompt asks: which view, which reader or liked items, which item."""

from dataclasses import dataclass
from typing import Literal

from services.shared.errors import InvalidError
from services.shared.llm.delimiters import Block, parse

View = Literal["user", "item"]


@dataclass(frozen=True)
class Question:
    """One call: `asked` holds the reader's profile (user view) or the liked items (item view)."""

    view: View
    asked: tuple[str, ...]
    item: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Return all texts, the item last."""
        return (*self.asked, self.item)


def read_question(prompt: str) -> Question:
    """Return the question between a prompt's delimiters.

    Raises MalformedError where the delimiters are broken, InvalidError where they hold anything
    but one user or some liked blocks, and one item.
    """
    blocks = parse(prompt)
    users, liked, items = (_texts(blocks, role) for role in ("user", "liked", "item"))
    if len(items) != 1 or bool(users) == bool(liked) or len(users) > 1:
        raise InvalidError(
            "This rater reads one `user` block or some `liked` blocks, and one `item` block; "
            f"the prompt has {len(users)}, {len(liked)} and {len(items)}."
        )
    return Question("user" if users else "item", users or liked, items[0])


def _texts(blocks: list[Block], role: str) -> tuple[str, ...]:
    return tuple(block.text for block in blocks if block.role == role)
