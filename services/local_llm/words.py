"""Words of a text, the telling ones that two texts share, and what cannot be read at all."""

import re
from collections.abc import Iterable
from importlib.resources import files

from services.shared.llm.prompts import NO_TEXT
from services.shared.scripts import foreign_share

_WORD = re.compile(r"[a-zà-öø-ÿĀ-ɏ]{3,}")

# function words, and the words every profile is written with
_COMMON = frozenset((files("services.local_llm") / "data" / "common_words.txt").read_text().split())


def words_of(text: str) -> list[str]:
    """Return the lower-case words of at least three Latin letters, in their order."""
    return _WORD.findall(text.lower())


def telling_words(text: str) -> list[str]:
    """Return the words that say something of their own, in their order."""
    return [word for word in words_of(text) if _telling(word)]


def shared_words(left: str, right: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to `limit` telling words of `left` that stand in a text of `right`, long first.

    A plural s is no difference. Deterministic: equal lengths go by the alphabet.
    """
    others = {_stem(word) for text in right for word in words_of(text)}
    mine = {_stem(word): word for word in telling_words(left)}
    both = [word for stem, word in mine.items() if stem in others]
    return sorted(both, key=lambda word: (-len(word), word))[:limit]


def is_wordless(text: str) -> bool:
    """Tell whether a text has no letter at all, or is the prompt's word for a missing one."""
    return text == NO_TEXT or not any(char.isalpha() for char in text)


def is_foreign(text: str) -> bool:
    """Tell whether most letters of a text are from another script than Latin."""
    return foreign_share(text) > 0.5


def _telling(word: str) -> bool:
    return len(word) >= 4 and word not in _COMMON and _stem(word) not in _COMMON


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
