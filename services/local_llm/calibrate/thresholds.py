"""Derives share and cuts from the fitting halves: no held-out reader is looked at here.

The share of a shelf's likeness that the item view takes off is the one whose item view best does
two things: tell what an LLM called High from what it called Low, and tell true pairs of another
kind of shop from shuffled ones. The mean of both areas counts, and of equals the least share.
Areas of the labels were tried as well; docs/log.md tells what came of both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
import numpy as np

from services.local_llm.calibrate.gold import Other, Rated, shuffled
from services.local_llm.calibrate.measures import auc, matching_cuts, shared_cuts
from services.local_llm.calibrate.report import Mask, Terms, terms_of
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
        here=terms_of(encoder, centres, shuffled([r for r in rated if r.fitted])),
        there=terms_of(encoder, centres, [(pair.user, pair.item) for pair in others]),
        truth=np.array([pair.true for pair in others]),
        fitted_there=np.array([pair.fitted for pair in others]),
    )


def derive_thresholds(found: Found) -> Thresholds:
    """Return share and cuts; prints the areas of each share that was tried."""
    own, there = found.rated.of(found.fitted), found.there.of(found.fitted_there)
    truth, said = found.truth[found.fitted_there], np.array(found.said["item"])
    means: dict[float, float] = {}
    for share in GRID:
        here, elsewhere = own.scores(share).item, there.scores(share).item
        by_label, _ = auc(here[said == "High"], here[said == "Low"])
        by_truth, _ = auc(elsewhere[truth], elsewhere[~truth])
        means[share] = round((by_label + by_truth) / 2, 4)
        click.echo(
            f"share {share:.1f}: High against Low {by_label:.3f}, "
            f"true against shuffled elsewhere {by_truth:.3f}"
        )
    return cuts_at(found, max(GRID, key=lambda share: (means[share], -share)))


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
