"""Counts tokens with the encoder's own tokenizer, once per text that comes often."""

import hashlib
from collections import OrderedDict

from services.local_llm.encoder import Encoder

KEPT = 4_096


class TokenCounter:
    """Token counts by content hash: a system prompt comes with every call."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def count(self, text: str) -> int:
        """Return the number of tokens of the whole text."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._counts.get(key)
        if known is None:
            known = self._counts[key] = self._encoder.count_tokens(text)
            if len(self._counts) > KEPT:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(key)
        return known
