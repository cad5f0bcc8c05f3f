r"""The delimiter protocol: untrusted text stands between marks it cannot write itself.

A block is `<<<NONCE:ROLE>>>\nTEXT\n<<<NONCE:end>>>`. Two locks hold it shut. First, runs of
three or more `<` or `>` inside a text are shortened to two, so no text contains a mark at all.
Second, the nonce is 12 hex digits of a SHA-256 over the prompt's texts, so a text that meant to
quote its own nonce would have to be a fixed point of that hash. A hash instead of a random number
keeps the prompt equal for equal texts, which caching by content and repeatable runs need.

The last of several blocks is left out of the hash: it is the item, which changes from pair to
pair, and a server's prefix cache can only reuse the user's part if its mark stays the same.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from services.shared.errors import MalformedError

Role = Literal["user", "item", "liked"]
ROLES: tuple[Role, ...] = get_args(Role)

_RESERVED = re.compile(r"<{3,}|>{3,}")
_MARK = re.compile(r"<<<([0-9a-f]{12}):([a-z]+)>>>")
_END = "end"


@dataclass(frozen=True)
class Block:
    """One untrusted text and what it is: a user's profile, an item, an item the user liked."""

    role: Role
    text: str


def strip_reserved(text: str) -> str:
    """Return the text with runs of `<<<` and `>>>` shortened to two; idempotent.

    A `<` that ends one text cannot join the mark after it: a newline stands between them.
    """
    return _RESERVED.sub(lambda run: run.group()[:2], text)


def nonce_of(blocks: Sequence[Block]) -> str:
    """Return the 12 hex digits that mark these blocks, from all of them but a closing last one."""
    digest = hashlib.sha256()
    for block in blocks[:-1] or blocks:
        text = strip_reserved(block.text).encode("utf-8", "surrogatepass")
        digest.update(f"{block.role}:{len(text)}:".encode())
        digest.update(text)
    return digest.hexdigest()[:12]


def wrap_one(block: Block, nonce: str) -> str:
    """Return one block between its marks."""
    return f"<<<{nonce}:{block.role}>>>\n{strip_reserved(block.text)}\n<<<{nonce}:{_END}>>>"


def wrap(blocks: Sequence[Block]) -> tuple[str, str]:
    """Return the nonce and all blocks between their marks, a newline between two."""
    nonce = nonce_of(blocks)
    return nonce, "\n".join(wrap_one(block, nonce) for block in blocks)


def parse(prompt: str) -> list[Block]:
    """Return the blocks of a prompt in their order, whatever prose stands around them.

    The first mark fixes the nonce. Raises MalformedError on an unknown role, a foreign nonce,
    a block that is opened twice or never closed: a prompt is never read by guessing.
    """
    marks = list(_MARK.finditer(prompt))
    if len(marks) % 2:
        raise MalformedError("A delimited block is opened and never closed.")
    return [
        _block(prompt, start, end, nonce=marks[0].group(1))
        for start, end in zip(marks[::2], marks[1::2], strict=True)
    ]


def _block(prompt: str, start: re.Match[str], end: re.Match[str], *, nonce: str) -> Block:
    if {start.group(1), end.group(1)} != {nonce}:
        raise MalformedError("Delimiters of one prompt carry two nonces.")
    if end.group(2) != _END:
        raise MalformedError(f"Block {end.group(2)!r} opens inside another.")
    text = prompt[start.end() : end.start()]
    if len(text) < 2 or text[0] != "\n" or text[-1] != "\n":
        raise MalformedError("A delimiter does not stand on its own line.")
    return Block(_role(start.group(2)), text[1:-1])


def _role(name: str) -> Role:
    for role in ROLES:
        if name == role:
            return role
    raise MalformedError(f"Unknown role {name!r}; known are {', '.join(ROLES)}.")
