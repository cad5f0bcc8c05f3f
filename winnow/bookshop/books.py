"""The stock: books with a theme, a mood, an author, a circle and a long-tailed popularity."""

from __future__ import annotations

from dataclasses import dataclass

from winnow.bookshop.draws import Draws
from winnow.bookshop.phrases import (
    BLURBS,
    EDITIONS,
    EPITHETS,
    MOODS,
    NAMES,
    SURNAMES,
    TITLE_FRAMES,
    TOWNS,
)
from winnow.bookshop.theme import Theme
from winnow.bookshop.themes_life import LIFE
from winnow.bookshop.themes_story import STORY

THEMES: tuple[Theme, ...] = STORY + LIFE
AUTHORS_PER_THEME = 6
CIRCLES = 8  # reading circles: a taste that no text tells, only purchases do
SUBPLOT_SHARE = 0.15


@dataclass(frozen=True, kw_only=True)
class Book:
    """One book; `theme`, `mood`, `author` and `circle` are indices, `appeal` a log weight."""

    id: str
    title: str
    author: str
    text: str
    year: int
    theme: int
    mood: int
    author_index: int
    circle: int
    appeal: float


def stock(draws: Draws, count: int) -> list[Book]:
    """Return `count` books with different titles, themes in equal shares."""
    appeals = draws.normals(count)
    taken: set[str] = set()
    return [_book(draws, at, float(appeals[at]), taken) for at in range(count)]


def _book(draws: Draws, at: int, appeal: float, taken: set[str]) -> Book:
    theme = at % len(THEMES)
    mood = draws.below(len(MOODS))
    author_index = theme * AUTHORS_PER_THEME + draws.below(AUTHORS_PER_THEME)
    return Book(
        id=f"book-{at:04d}",
        title=_title(draws, THEMES[theme], taken),
        author=_author(author_index),
        text=_text(draws, theme, mood),
        year=1990 + draws.below(35),
        theme=theme,
        mood=mood,
        author_index=author_index,
        circle=draws.below(CIRCLES),
        appeal=appeal,
    )


def _author(index: int) -> str:
    first = NAMES[(index * 7) % len(NAMES)]
    initial = "ABCDEFGHIJKLM"[index % 13]
    return f"{first} {initial}. {SURNAMES[(index * 5) % len(SURNAMES)]}"


def _title(draws: Draws, theme: Theme, taken: set[str]) -> str:
    noun, other = draws.some(theme.titles, 2)
    title = draws.pick(TITLE_FRAMES).format(
        epithet=draws.pick(EPITHETS),
        noun=noun,
        other=other,
        name=draws.pick(NAMES),
        town=draws.pick(TOWNS),
    )
    if title in taken:
        return _title(draws, theme, taken)
    taken.add(title)
    return title


def _text(draws: Draws, theme: int, mood: int) -> str:
    parts = [_premise(draws, THEMES[theme])]
    if draws.chance(SUBPLOT_SHARE):
        parts.append("Meanwhile " + _subplot(draws, draws.pick(THEMES)))
    parts.append(draws.pick(MOODS[mood].promises))
    if draws.chance(0.5):
        parts.append(draws.pick(EDITIONS))
    return " ".join(parts)


def _premise(draws: Draws, theme: Theme) -> str:
    sentence = draws.pick(BLURBS).format(
        hero=draws.pick(theme.heroes), place=draws.pick(theme.places), plot=draws.pick(theme.plots)
    )
    return sentence[0].upper() + sentence[1:]


def _subplot(draws: Draws, theme: Theme) -> str:
    return f"{draws.pick(theme.heroes)} {draws.pick(theme.plots)}."
