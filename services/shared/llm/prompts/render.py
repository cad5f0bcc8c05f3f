"""From a question to messages: pure, and equal for equal texts."""

from dataclasses import dataclass
from typing import Literal, TypedDict

from services.shared.errors import InvalidError
from services.shared.llm.delimiters import Block, nonce_of, wrap_one
from services.shared.llm.prompts.template import PromptTemplate, View
from services.shared.llm.reference import mark, reference_of

NO_TEXT = "(no text)"
"""Stands for a missing profile; the prompt says what it means."""

CUT_MARK = " […]"
"""Ends a text that was cut at the limit, so that the model sees it is not whole."""


class Message(TypedDict):
    """One message of an OpenAI-style chat."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, kw_only=True)
class UserQuestion:
    """The user view of a pair: the user's profile P_u against the item's P_i (Eq. 13)."""

    user: str
    item: str

    @property
    def view(self) -> View:
        """Return which template this question needs."""
        return "user"

    def shared(self) -> tuple[Block, ...]:
        """Return the blocks that all items of this user share."""
        return (Block("user", self.user),)


@dataclass(frozen=True, kw_only=True)
class ItemQuestion:
    """The item view of a pair: items the user chose, best first, against the item (Eq. 14).

    The caller leaves the judged item itself out of `liked`.
    """

    liked: tuple[str, ...]
    item: str

    @property
    def view(self) -> View:
        """Return which template this question needs."""
        return "item"

    def shared(self) -> tuple[Block, ...]:
        """Return the blocks that all items of this user share; never empty."""
        return tuple(Block("liked", text) for text in self.liked or ("",))


Question = UserQuestion | ItemQuestion


def cut(text: str, *, max_chars: int) -> str:
    """Return the text, or its first characters with a mark, never longer than `max_chars`.

    Blank texts become NO_TEXT. Characters are code points; a limit below 16 is refused with
    ValueError because nothing readable would be left.
    """
    if max_chars < 16:
        raise ValueError("max_chars must be at least 16")
    whole = text.strip() or NO_TEXT
    if len(whole) <= max_chars:
        return whole
    return whole[: max_chars - len(CUT_MARK)].rstrip() + CUT_MARK


def render(template: PromptTemplate, question: Question, *, max_chars: int) -> list[Message]:
    """Return the messages: system first, then template, user's part, item, reference, in order.

    `max_chars` limits each single text. Raises InvalidError when the template is of the other view.
    """
    if template.view != question.view:
        raise InvalidError(f"Prompt {template.name} is for the {template.view} view.")
    blocks = _blocks(question, max_chars=max_chars)
    nonce = nonce_of(blocks)
    *shared, item = (wrap_one(block, nonce) for block in blocks)
    content = template.fill(
        shared="\n".join(shared), item=item, reference=mark(reference_of(blocks))
    )
    return [
        {"role": "system", "content": template.system},
        {"role": "user", "content": content},
    ]


def reference(template: PromptTemplate, question: Question, *, max_chars: int) -> str | None:
    """Return the reference that a reply to the rendered question must carry; None for none."""
    return reference_of(_blocks(question, max_chars=max_chars)) if template.referenced else None


def _blocks(question: Question, *, max_chars: int) -> list[Block]:
    """Return the question's blocks, cut to the limit, the item last."""
    whole = (*question.shared(), Block("item", question.item))
    return [Block(block.role, cut(block.text, max_chars=max_chars)) for block in whole]
