"""What the calibrated rater is worth on readers, and on a shop, that it was not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import click
import numpy as np
from numpy.typing import NDArray

from services.local_llm.calibrate.gold import Rated
from services.local_llm.calibrate.measures import LEVEL, Numbers, auc, kappa, levels, shares
from services.local_llm.calibration import Thresholds
from services.local_llm.encoder import Encoder
from services.local_llm.question import Question
from services.local_llm.scores import Centres, Vector, shelf_terms, user_score

Levels = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """Both views' scores of the same pairs, in one order."""

    user: Numbers
    item: Numbers

    def of(self, mask: Mask) -> "Scores":
        """Return the scores of some of the pairs."""
        return Scores(self.user[mask], self.item[mask])


@dataclass(frozen=True)
class Terms:
    """What scores are made of: the item view is nearness less a share of likeness."""

    user: Numbers
    nearness: Numbers
    likeness: Numbers

    def scores(self, share: float) -> Scores:
        """Return the scores at that share."""
        return Scores(self.user, self.nearness - share * self.likeness)

    def of(self, mask: Mask) -> "Terms":
        """Return the terms of some of the pairs."""
        return Terms(self.user[mask], self.nearness[mask], self.likeness[mask])


def terms_of(
    encoder: Encoder, centres: Centres, pairs: Sequence[tuple[Question, Question]]
) -> Terms:
    """Return the terms of (user view, item view) questions; every text is encoded once."""
    vector = encode_all(encoder, pairs)
    user = [user_score(centres, vector[q.asked[0]], vector[q.item]) for q, _ in pairs]
    shelves = [np.stack([vector[text] for text in q.asked]) for _, q in pairs]
    items = [vector[q.item] for _, q in pairs]
    found = [shelf_terms(centres, liked, x) for liked, x in zip(shelves, items, strict=True)]
    nearness, likeness = np.array(found).T
    return Terms(np.array(user), nearness, likeness)


def encode_all(encoder: Encoder, pairs: Sequence[tuple[Question, Question]]) -> dict[str, Vector]:
    """Return the vector of each text that the questions hold."""
    texts = sorted({text for pair in pairs for question in pair for text in question.texts})
    return dict(zip(texts, encoder.encode(texts), strict=True))


def print_held_out(rated: list[Rated], scores: Scores, cuts: Thresholds) -> None:
    """Print agreement with the LLM, and true against planted edges, on both halves."""
    for name, half in (("fitted half", True), ("held-out half", False)):
        mask = np.array([r.fitted is half for r in rated])
        rows = [r for r in rated if r.fitted is half]
        click.echo(f"\n{name}: {len(rows)} pairs")
        _print_agreement(rows, scores.of(mask), cuts)
        true, planted = (np.array([r.kind == kind for r in rows]) for kind in ("real", "fake"))
        _print_separation("true against planted edges", scores.of(mask), cuts, (true, planted))


def print_other(truth: Mask, scores: Scores, cuts: Thresholds) -> None:
    """Print the same of a shop of another kind: true train pairs against shuffled ones."""
    click.echo(f"\nother shop: {len(truth)} pairs")
    for name, mask in (("true", truth), ("shuffled", ~truth)):
        _print_shares(name, scores.of(mask), cuts)
    _print_separation("true against shuffled pairs", scores, cuts, (truth, ~truth))


def _print_agreement(rows: list[Rated], scores: Scores, cuts: Thresholds) -> None:
    _print_shares("ours", scores, cuts)
    for view, found in both_levels(scores, cuts).items():
        said = np.array([LEVEL[row.said[view]] for row in rows])
        click.echo(f"  {view} view: the LLM said {_percent(said)}, kappa {kappa(found, said):.2f}")


def _print_separation(
    title: str, scores: Scores, cuts: Thresholds, sides: tuple[Mask, Mask]
) -> None:
    found = both_levels(scores, cuts)
    measures = {
        "user view": scores.user,
        "item view": scores.item,
        "both views": standard(scores.user) + standard(scores.item),
        "both labels summed": (found["user"] + found["item"]).astype(np.float64),
    }
    click.echo(f"  {title}, AUC ± s.e.")
    for name, values in measures.items():
        area, error = auc(*(values[side] for side in sides))
        click.echo(f"    {name}: {area:.3f} ± {error:.3f}")
    flagged = (np.minimum(*found.values()) == 0) & (np.maximum(*found.values()) < 2)
    kept = np.minimum(*found.values()) == 2
    for name, rule in (("a Low and no High", flagged), ("two Highs", kept)):
        one, other = (float(rule[side].mean()) for side in sides)
        click.echo(f"    {name}: {one:.0%} of the first, {other:.0%} of the second")


def _print_shares(name: str, scores: Scores, cuts: Thresholds) -> None:
    for view, found in both_levels(scores, cuts).items():
        click.echo(f"  {view} view: {name} {_percent(found)}")


def both_levels(scores: Scores, cuts: Thresholds) -> dict[str, Levels]:
    """Return 0, 1, 2 for Low, Mid, High, by view."""
    return {"user": levels(scores.user, cuts.user), "item": levels(scores.item, cuts.item)}


def _percent(found: Levels) -> str:
    return ", ".join(f"{label} {share:.0%}" for label, share in shares(found).items())


def standard(values: Numbers) -> Numbers:
    """Return the values with mean 0 and deviation 1."""
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float64)
