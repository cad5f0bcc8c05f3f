"""From two views' ratings, or a person's word, to a verdict per pair."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.recsys.data import Bools, Floats, Ints

Labels = npt.NDArray[np.int8]
Words = npt.NDArray[np.str_]

LOW, MID, HIGH, MISSING = 0, 1, 2, -1
LABELS = {"Low": LOW, "Mid": MID, "High": HIGH}
VERDICTS = ("hard", "noise", "clean", "unsure")


@dataclass(frozen=True, kw_only=True, eq=False)
class RatedPairs:
    """Distinct pairs with what was said of them; pairs need not be candidates of the run."""

    users: Ints  # (C,)
    items: Ints  # (C,)
    user_view: Labels  # (C,) LOW, MID, HIGH, or MISSING: not rated, or unparsed
    item_view: Labels  # (C,)
    scores: npt.NDArray[np.float64]  # (C,) low is suspicious for an edge, high promises an addition
    person: Words | None = None  # (C,) a person's verdict, "" where nobody spoke

    def __post_init__(self) -> None:
        """Refuse a repeated pair and an unknown word with a ValueError."""
        if len({*zip(self.users.tolist(), self.items.tolist(), strict=True)}) < len(self.users):
            raise ValueError("a pair stands there twice")
        unknown = sorted(set(self.words().tolist()) - {"", *VERDICTS})
        if unknown:
            raise ValueError(f"a person's verdict must be one of {VERDICTS}, not {unknown[0]!r}")

    def words(self) -> Words:
        """Return people's verdicts, "" where nobody spoke: (C,)."""
        return np.full(len(self.users), "") if self.person is None else self.person

    def rated(self) -> Bools:
        """Return which pairs have both ratings and no person's word: (C,)."""
        silent: Bools = self.words() == ""
        return silent & (np.minimum(self.user_view, self.item_view) > MISSING)


def judge(pairs: RatedPairs, *, is_edge: Bools) -> tuple[Words, Words]:
    """Return the verdict of each pair and who decided it: "person", "llm", "none".

    A person's word stands, also where it sounds odd: they cannot know which of the log's pairs are
    edges of this train graph. Of an edge, hard, clean and unsure say that it stays; of a
    non-edge, noise, clean and unsure say that it is not added. Two Highs are hard. A Low and no
    High is noise for an edge, clean for a non-edge. All else, and a pair that misses a rating, is
    unsure.
    """
    low = np.minimum(pairs.user_view, pairs.item_view)
    high = np.maximum(pairs.user_view, pairs.item_view)
    spoken, rated = pairs.words() != "", pairs.rated()
    against = rated & (low == LOW) & (high < HIGH)
    cases = [spoken, low == HIGH, against & is_edge, against]
    verdicts = np.select(cases, [pairs.words(), "hard", "noise", "clean"], "unsure")
    return verdicts, np.select([spoken, rated], ["person", "llm"], "none")


def soft_weights(pairs: RatedPairs, *, floor: float) -> Floats:
    """Return the mean of both labels on Low 0, Mid 1/2, High 1, at least `floor`: (C,)."""
    mean = (pairs.user_view.astype(np.float32) + pairs.item_view) / (2 * HIGH)
    return np.maximum(mean, np.float32(floor))
