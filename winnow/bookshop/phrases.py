"""Moods, habits and frames of sentences: what books and readers have beside a theme."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mood:
    """One tone: how readers ask for it and how blurbs promise it."""

    name: str
    wishes: tuple[str, ...]
    promises: tuple[str, ...]


MOODS: tuple[Mood, ...] = (
    Mood(
        name="dark",
        wishes=("do not mind an ending that hurts", "want to be unsettled"),
        promises=("Unsparing and bleak to the last line.", "A grim book that lingers."),
    ),
    Mood(
        name="gentle",
        wishes=("want comfort after a long day", "prefer kindness to shocks"),
        promises=("Warm, tender and consoling.", "A soothing read with a soft heart."),
    ),
    Mood(
        name="witty",
        wishes=("want to laugh out loud", "like a sharp tongue on the page"),
        promises=("Wickedly funny from the first page.", "Full of jokes and sly asides."),
    ),
    Mood(
        name="thoughtful",
        wishes=("like to stop and think", "enjoy sentences worth reading twice"),
        promises=("Meditative and beautifully written.", "Patient, lucid and profound."),
    ),
    Mood(
        name="brisk",
        wishes=("need pace and short chapters", "lose interest when nothing happens"),
        promises=("Races along without a wasted word.", "Breathless to the end."),
    ),
)

FIRST_TASTES: tuple[str, ...] = (
    "Drawn to {taste}.",
    "This reader looks for {taste}.",
    "At heart a lover of {taste}.",
    "Most of this customer's evenings go to {taste}.",
)
MORE_TASTES: tuple[str, ...] = (
    "Also fond of {taste}.",
    "Next to that come {taste}.",
    "The second pile by the bed holds {taste}.",
)
WISHES: tuple[str, ...] = (
    "Readers like this one {wish}.",
    "Asked at the counter, people of this kind {wish}.",
)
ASIDES: tuple[str, ...] = (
    "The same person {aside}.",
    "This customer also {aside}.",
    "One thing more: the reader {aside}.",
)
HABITS: tuple[str, ...] = (
    "Reads on the train.",
    "Finishes two volumes a week.",
    "Buys hardbacks only as presents.",
    "Often trusts the staff table.",
    "Listens while doing the dishes.",
    "Keeps a list and sticks to it.",
    "Returns what does not grip by page fifty.",
    "Comes in on Saturdays.",
)
BLURBS: tuple[str, ...] = (
    "{hero} {place} {plot}.",
    "{place}, {hero} {plot}.",
    "In this book {hero} {plot}, {place}.",
)
EDITIONS: tuple[str, ...] = (
    "A pocket edition.",
    "First of a series.",
    "With an afterword.",
    "Newly translated.",
    "A standalone volume.",
    "Reissued for its anniversary.",
)
TITLE_FRAMES: tuple[str, ...] = (
    "The {epithet} {noun}",
    "{epithet} {noun}",
    "A {noun} for {name}",
    "{name}'s {noun}",
    "The {noun} of {town}",
    "{noun} and {epithet} {other}",
)
EPITHETS: tuple[str, ...] = (
    "Last", "Quiet", "Second", "Crooked", "Silver", "Borrowed",
    "Hidden", "Late", "Northern", "Broken", "Seventh", "Golden",
)  # fmt: skip
NAMES: tuple[str, ...] = (
    "Ada", "Tobias", "Mirela", "Jun", "Odile", "Samir", "Hanne", "Pilar", "Ezra", "Wren",
)  # fmt: skip
TOWNS: tuple[str, ...] = (
    "Ashby", "Varna", "Lisse", "Corran", "Tamsel", "Oulu", "Perth", "Mirepoix",
)  # fmt: skip
SURNAMES: tuple[str, ...] = (
    "Abara", "Bellweather", "Castellan", "Dubrov", "Eklund", "Farrow", "Galvez", "Hartigan",
    "Ivory", "Jarrow", "Kessler", "Lindqvist", "Marchetti", "Norcross", "Okafor", "Penhale",
    "Quill", "Rastogi", "Sorrel", "Tanaka", "Umber", "Vantongeren", "Whitlock", "Yarrow",
)  # fmt: skip
BRANCHES: tuple[str, ...] = ("harbour branch", "station branch", "market branch", "online")
