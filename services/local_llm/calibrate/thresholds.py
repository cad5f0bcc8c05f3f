"""Derives share and cuts from the fitting halves: no held-out reader is looked at here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.local_llm.calibrate.measures import matching_cuts, shared_cuts
from services.local_llm.calibrate.report import Mask, Terms
from services.local_llm.calibrate.share import choose_share
from services.local_llm.calibration import Thresholds


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


def derive_thresholds(found: Found) -> Thresholds:
    """Return share and cuts."""
    own, there = found.rated.of(found.fitted), found.there.of(found.fitted_there)
    truth = found.truth[found.fitted_there]
    share = choose_share(own, found.said["item"], there, truth)
    scores, here, elsewhere = own.scores(share), found.here.scores(share), there.scores(share)
    false = elsewhere.of(~truth)
    user = matching_cuts(scores.user, found.said["user"])
    item = matching_cuts(scores.item, found.said["item"])
    return Thresholds(
        user=shared_cuts(user, here=here.user, elsewhere=false.user),
        item=shared_cuts(item, here=here.item, elsewhere=false.item),
        share=share,
    )
