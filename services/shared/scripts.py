"""Which script a text is written in; the language within a script is not guessed at."""

import unicodedata
from collections import Counter
from functools import lru_cache

LATIN_END, LATIN_ADDITIONAL = 0x24F, range(0x1E00, 0x1F00)

NAMES = {"CJK": "Han", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
"""Scripts by the first word of their letters' Unicode names, where that word is not their name."""

WIDTHS = {"FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "MODIFIER"}
NO_SCRIPT = "none"

FOREIGN_SHARE = 0.1
"""Of a text's letters: from here on an encoder of Latin script has not read it in full."""


def script_of(text: str) -> str:
    """Return the script of most letters, such as Latin or Cyrillic; "none" without a letter.

    Japanese mixes Han with syllables of its own: one letter in ten of those makes it Japanese.
    """
    if text.isascii():
        return "Latin" if any(char.isalpha() for char in text) else NO_SCRIPT
    letters = Counter(_script(char) for char in text if char.isalpha())
    if not letters:
        return NO_SCRIPT
    if 10 * letters["Japanese"] >= letters["Han"] + letters["Japanese"] > 0:
        letters["Japanese"] += letters.pop("Han", 0)
    return min(letters, key=lambda name: (-letters[name], name))


def foreign_share(text: str) -> float:
    """Return the share of a text's letters that are of another script than Latin, in [0, 1]."""
    if text.isascii():
        return 0.0
    letters = [ord(char) for char in text if char.isalpha()]
    foreign = sum(code > LATIN_END and code not in LATIN_ADDITIONAL for code in letters)
    return foreign / len(letters) if letters else 0.0


@lru_cache(maxsize=65_536)
def _script(char: str) -> str:
    words = unicodedata.name(char, "OTHER").split()
    word = words[1] if words[0] in WIDTHS and len(words) > 1 else words[0]
    return NAMES.get(word, word.capitalize())
