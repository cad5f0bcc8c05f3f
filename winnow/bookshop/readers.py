"""The customers: one to three tastes, a mood, favourite authors and perhaps a side interest."""

from __future__ import annotations

from dataclasses import dataclass

from winnow.bookshop.books import AUTHORS_PER_THEME, CIRCLES, THEMES
from winnow.bookshop.draws import Draws
from winnow.bookshop.phrases import (
    ASIDES,
    BRANCHES,
    FIRST_TASTES,
    HABITS,
    MOODS,
    MORE_TASTES,
    WISHES,
)

TASTE_COUNTS = (1, 2, 2, 3)
SIDE_SHARE = 0.65
TOLD_SHARE = 0.85  # a profile leaves some of the lesser tastes out


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One customer; `tastes` are theme indices, the strongest first, `side` a theme or None."""

    id: str
    text: str
    branch: str
    since: int
    tastes: tuple[int, ...]
    side: int | None
    mood: int
    circle: int
    authors: frozenset[int]


def customers(draws: Draws, count: int) -> list[Reader]:
    """Return `count` readers with their profiles."""
    return [_reader(draws, at) for at in range(count)]


def _reader(draws: Draws, at: int) -> Reader:
    themes = draws.some(range(len(THEMES)), 4)
    tastes = tuple(themes[: draws.pick(TASTE_COUNTS)])
    side = themes[3] if draws.chance(SIDE_SHARE) else None
    mood = draws.below(len(MOODS))
    return Reader(
        id=f"reader-{at:04d}",
        text=_profile(draws, tastes, side, mood),
        branch=draws.pick(BRANCHES),
        since=2005 + draws.below(18),
        tastes=tastes,
        side=side,
        mood=mood,
        circle=draws.below(CIRCLES),
        authors=frozenset(_favourites(draws, tastes)),
    )


def _favourites(draws: Draws, tastes: tuple[int, ...]) -> list[int]:
    return [
        taste * AUTHORS_PER_THEME + author
        for taste in tastes
        for author in draws.some(range(AUTHORS_PER_THEME), 2)
    ]


def _profile(draws: Draws, tastes: tuple[int, ...], side: int | None, mood: int) -> str:
    parts = [_taste(draws, FIRST_TASTES, tastes[0])]
    parts += [_taste(draws, MORE_TASTES, taste) for taste in tastes[1:] if draws.chance(TOLD_SHARE)]
    parts.append(draws.pick(WISHES).format(wish=draws.pick(MOODS[mood].wishes)))
    if side is not None:
        parts.append(draws.pick(ASIDES).format(aside=draws.pick(THEMES[side].asides)))
    parts.append(draws.pick(HABITS))
    return " ".join(parts)


def _taste(draws: Draws, frames: tuple[str, ...], theme: int) -> str:
    return draws.pick(frames).format(taste=draws.pick(THEMES[theme].readers))
