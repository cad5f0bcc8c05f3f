"""The reference of a question: a few digits by which its answer is told from another's.

A proxy that swaps two replies, a cache under a wrong key, a connection out of step: each gives an
answer that is valid and belongs to another pair. The reference is a hash of the question's texts,
so equal questions have equal ones, and it stands after the item, where nothing that a server's
prefix cache could reuse is left. Its mark is one of those that no text can write (see delimiters).
"""

import hashlib
import re
from collections.abc import Sequence

from services.shared.llm.delimiters import Block, strip_reserved

DIGITS = 8  # 32 bits: two calls under way share one by chance as good as never

_MARK = re.compile(r"<<<ref:([0-9a-f]{8})>>>")


def reference_of(blocks: Sequence[Block]) -> str:
    """Return the reference of the question that these blocks pose, the item included."""
    digest = hashlib.sha256(b"reference:")
    for block in blocks:
        text = strip_reserved(block.text).encode("utf-8", "surrogatepass")
        digest.update(f"{block.role}:{len(text)}:".encode())
        digest.update(text)
    return digest.hexdigest()[:DIGITS]


def mark(reference: str) -> str:
    """Return the reference as it stands in a prompt."""
    return f"<<<ref:{reference}>>>"


def read_reference(prompt: str) -> str | None:
    """Return the reference that the prompt carries, the last if there are several; None without."""
    found = _MARK.findall(prompt)
    return found[-1] if found else None
