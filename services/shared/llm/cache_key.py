"""What makes two questions the same question: the key under which a rating is stored once."""

import hashlib
from collections.abc import Mapping, Sequence

from services.shared.canonical import Json, content_digest
from services.shared.llm.prompts import PromptTemplate, Question
from services.shared.llm.prompts.render import Message

KEY_VERSION = 1
"""Raised when the recipe below changes; old ratings then stay, but are not found again."""


def rating_key(
    *,
    template: PromptTemplate,
    question: Question,
    model: str,
    parameters: Mapping[str, Json],
    max_chars: int,
) -> bytes:
    """Return the 32 bytes that name one question to one model.

    They cover view, model, the prompt's words and version, the call's parameters (temperature,
    max_tokens, seed, response format), the limit at which texts are cut, and the exact texts.
    The texts go in as a list, so that moving a word across a border makes another key.
    """
    texts = [block.text for block in question.shared()]
    return content_digest(
        {
            "key_version": KEY_VERSION,
            "view": question.view,
            "model": model,
            "prompt": {"version": template.version, "sha256": template.sha256},
            "parameters": dict(parameters),
            "max_chars": max_chars,
            "shared": texts,
            "item": question.item,
        }
    )


def text_key(text: str) -> bytes:
    """Return the SHA-256 of a text's UTF-8: with project and model, the key of its vector."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def messages_key(messages: Sequence[Message]) -> bytes:
    """Return the 32 bytes of rendered messages, by which a reply can be traced to its prompt."""
    return content_digest([[message["role"], message["content"]] for message in messages])
