"""Derives share and cuts from the fitting halves: no held-out reader is looked at here.

The share of a shelf's likeness that the item view takes off is the one whose labels, both views
summed, best tell true pairs from false ones: planted edges in the shop with ratings, shuffled pairs
in a shop of another kind; the mean of both areas counts, and of equals the least share. Areas of
the scores were tried in the place of the labels': they chose .1, which left the other shop's item
view without a scale (69 % of its shuffled pairs were High).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
import numpy as np

from services.local_llm.calibrate.gold import Other, Rated, shuffled
from services.local_llm.calibrate.measures import auc, matching_cuts, shared_cuts
from services.local_llm.calibrate.report import Mask, Scores, Terms, both_levels, terms_of
from services.local_llm.calibration import Thresholds
from services.local_llm.encoder import Encoder
from services.local_llm.scores import Centres

GRID = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(frozen=True)
class Found:
    """Terms of all pairs, and which of them may be fitted on."""

    rated: Terms
    fitted: Mask
    said: Mapping[str, Sequence[str]]  # by view, of the fitted ones
    kinds: Sequence[str]  # of all rated pairs
    here: Terms  # the fitted ones' readers with another's item
    there: Terms  # another shop's pairs, true and shuffled
    truth: Mask
    fitted_there: Mask


def terms(encoder: Encoder, centres: Centres, rated: list[Rated], others: list[Other]) -> Found:
    """Return the terms of rated pairs, their shuffled ones, and another shop's pairs."""
    return Found(
        rated=terms_of(encoder, centres, [(r.user, r.item) for r in rated]),
        fitted=np.array([r.fitted for r in rated]),
        said={view: [r.said[view] for r in rated if r.fitted] for view in ("user", "item")},
        kinds=[r.kind for r in rated],
        here=terms_of(encoder, centres, shuffled([r for r in rated if r.fitted])),
        there=terms_of(encoder, centres, [(pair.user, pair.item) for pair in others]),
        truth=np.array([pair.true for pair in others]),
        fitted_there=np.array([pair.fitted for pair in others]),
    )


def derive_thresholds(found: Found) -> Thresholds:
    """Return share and cuts; prints the areas of each share that was tried."""
    kinds = np.array(found.kinds)[found.fitted]
    own, there = found.rated.of(found.fitted), found.there.of(found.fitted_there)
    truth = found.truth[found.fitted_there]
    areas: dict[float, float] = {}
    for share in GRID:
        cuts = cuts_at(found, share)
        planted = _area(own.scores(share), cuts, kinds == "real", kinds == "fake")
        shuffled = _area(there.scores(share), cuts, truth, ~truth)
        areas[share] = round((planted + shuffled) / 2, 4)
        click.echo(f"share {share:.1f}: planted {planted:.3f}, shuffled elsewhere {shuffled:.3f}")
    return cuts_at(found, max(GRID, key=lambda share: (areas[share], -share)))


def cuts_at(found: Found, share: float) -> Thresholds:
    """Return the cuts of both views at a share."""
    own, here = found.rated.of(found.fitted).scores(share), found.here.scores(share)
    elsewhere = found.there.of(found.fitted_there & ~found.truth).scores(share)
    user = matching_cuts(own.user, found.said["user"])
    item = matching_cuts(own.item, found.said["item"])
    return Thresholds(
        user=shared_cuts(user, here=here.user, elsewhere=elsewhere.user),
        item=shared_cuts(item, here=here.item, elsewhere=elsewhere.item),
        share=share,
    )


def _area(scores: Scores, cuts: Thresholds, true: Mask, false: Mask) -> float:
    """Return the area of both views' labels, summed."""
    found = both_levels(scores, cuts)
    summed = (found["user"] + found["item"]).astype(np.float64)
    return auc(summed[true], summed[false])[0]
