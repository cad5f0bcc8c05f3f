"""What makes an edge suspicious: the choices of Eq. 12's "low-score positives"."""

from typing import Literal

import numpy as np

from services.recsys.data import Embeddings, Interactions
from services.recsys.plausibility import plausibility
from services.recsys.suspicion import (
    Scores,
    leave_one_out,
    pair_scores,
    rank_average,
    text_cosine,
)
from services.recsys.texts import directions
from services.recsys.topk import ScoreBlock

EdgeScores = Literal["plausibility", "leave_one_out", "in_sample"]


def score_edges(
    how: EdgeScores,
    train: Interactions,
    score_block: ScoreBlock,
    *,
    texts: Embeddings | None,
    rng: np.random.Generator,
) -> Scores:
    """Return how well each train edge fits, low is suspicious: (E,).

    "plausibility" and "leave_one_out" (co-occurrence, averaged by ranks with the cosine of both
    texts) score out of sample; "in_sample" asks the pretrained model about its own train edges,
    as the paper does.
    """
    if how == "plausibility":
        vectors = None if texts is None else directions(texts.items)
        return plausibility(train, vectors=vectors, rng=rng)
    if how == "in_sample":
        return pair_scores(score_block, users=train.users, items=train.items)
    scores = leave_one_out(train)
    if texts is None:
        return rank_average(scores)
    return rank_average(scores, text_cosine(texts, users=train.users, items=train.items))
