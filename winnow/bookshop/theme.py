"""One theme of the shop: the words a reader uses for it and the words a blurb uses.

The two sides share as few content words as they can, so that matching them takes meaning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Phrase banks of one theme; every tuple is a bank that a draw picks from."""

    name: str
    readers: tuple[str, ...]
    """What a lover of the theme says: completes "They are drawn to …"."""
    asides: tuple[str, ...]
    """A side interest as it is mentioned in passing: a clause with a verb, without subject."""
    heroes: tuple[str, ...]
    places: tuple[str, ...]
    plots: tuple[str, ...]
    """A verb phrase that follows the hero."""
    titles: tuple[str, ...]
