"""The rater: a label and an honest reason from the similarity of texts; not a language model.

It reads Latin script only. What it cannot read at all is Mid; what it has read in part may be High
for what was read, and is never Low: the part that was not read may hold the reason.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.local_llm.calibration import THRESHOLDS, Cuts, load_centres
from services.local_llm.question import Question
from services.local_llm.scores import Matrix, item_score, user_score
from services.local_llm.words import is_foreign, is_wordless, shared_words
from services.shared.scripts import FOREIGN_SHARE, foreign_share

Label = Literal["High", "Mid", "Low"]
LABELS: tuple[Label, ...] = ("High", "Mid", "Low")
SIGNATURE = "Local rater (text similarity, no LLM): "
UNREAD = "little likeness was found, but part of the texts is not in Latin script and was not read."


@dataclass(frozen=True)
class Answer:
    """A label with its one-sentence reason."""

    label: Label
    reason: str


class Rater:
    """Rates questions from their texts' vectors; the same texts always get the same answer."""

    def __init__(self, encoder: str) -> None:
        self._centres = load_centres(encoder)
        self._thresholds = THRESHOLDS[encoder]

    def rate(self, question: Question, vectors: Matrix) -> Answer:
        """Return the answer to a question whose `texts` have these vectors, shape (n, d)."""
        reason = why_unreadable(question)
        if reason is not None:
            return Answer("Mid", SIGNATURE + reason)
        score, cuts = self.score(question, vectors), self.cuts(question)
        label = label_of(score, cuts)
        if label == "Low" and is_read_in_part(question):
            return Answer("Mid", SIGNATURE + UNREAD)
        return Answer(label, SIGNATURE + _reason(question, score, cuts))

    def score(self, question: Question, vectors: Matrix) -> float:
        """Return the score that the label is cut from; liked items unread are left out."""
        item = vectors[-1]
        if question.view == "user":
            return user_score(self._centres, vectors[0], item)
        read = np.array([is_readable(text) for text in question.asked])
        share = self._thresholds.share
        return item_score(self._centres, vectors[:-1][read], item, share=share)

    def cuts(self, question: Question) -> Cuts:
        """Return the cuts of the question's view."""
        return self._thresholds.user if question.view == "user" else self._thresholds.item


def label_of(score: float, cuts: Cuts) -> Label:
    """Return High from `cuts.high` upwards, Low below `cuts.low`, else Mid."""
    if score >= cuts.high:
        return "High"
    return "Low" if score < cuts.low else "Mid"


def why_unreadable(question: Question) -> str | None:
    """Return why these texts get Mid unread: one side has nothing that can be read."""
    sides = ("the item's text", (question.item,)), (_side(question), question.asked)
    for name, texts in sides:
        if all(is_wordless(text) for text in texts):
            return f"{name} has no words, so nothing can be said."
        if not any(is_readable(text) for text in texts):
            return f"{name} is not in Latin script, which this encoder does not read."
    return None


def is_readable(text: str) -> bool:
    """Tell whether most of a text can be read: it has words, and they are in Latin script."""
    return not is_wordless(text) and not is_foreign(text)


def is_read_in_part(question: Question) -> bool:
    """Tell whether any of the question's texts is, to a tenth or more, in another script."""
    return any(foreign_share(text) >= FOREIGN_SHARE for text in question.texts)


def _side(question: Question) -> str:
    return "the user's profile" if question.view == "user" else "the liked items' text"


def _reason(question: Question, score: float, cuts: Cuts) -> str:
    return f"{_words(question)}; similarity {score:.2f} is {_place(score, cuts)}."


def _words(question: Question) -> str:
    side = "the user's profile" if question.view == "user" else "the liked items"
    shared = shared_words(question.item, question.asked)
    if not shared:
        return f"shares no telling word with {side}"
    *first, last = [f"'{word}'" for word in shared]
    return f"shares {', '.join(first) + ' and ' if first else ''}{last} with {side}"


def _place(score: float, cuts: Cuts) -> str:
    match label_of(score, cuts):
        case "High":
            return f"at least {cuts.high:.2f}"
        case "Low":
            return f"below {cuts.low:.2f}"
        case _:
            return f"between {cuts.low:.2f} and {cuts.high:.2f}"
