"""How much planted noise each rater caught, beside the candidate score and the bare degrees."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from services.recsys.candidates import Candidates
from services.recsys.data import Bools, Interactions
from services.recsys.detect import Scores, detect
from services.recsys.metrics import auc
from services.recsys.verdicts import MID, MISSING, Labels, RatedPairs, judge

Row = dict[str, float | str]


@dataclass(frozen=True, kw_only=True, eq=False)
class RatedEdges:
    """The edges that were asked about, by position in the train graph."""

    train: Interactions
    at: np.ndarray  # (R,)
    planted: Bools  # (R,)

    @classmethod
    def of(cls, pairs: Candidates, train: Interactions, planted: Bools) -> "RatedEdges":
        """Return the candidates that are edges, in the candidates' order."""
        at = train.locate(users=pairs.users, items=pairs.items)[pairs.is_edge]
        return cls(train=train, at=at, planted=planted[at])


def by_ratings(name: str, edges: RatedEdges, rated: RatedPairs) -> Row:
    """Return what a rater's doubt ranks and what its noise verdicts catch."""
    is_edge = edges.train.contains(users=rated.users, items=rated.items)
    verdicts, _ = judge(rated, is_edge=is_edge)
    return _row(name, edges, -certainty(rated)[is_edge], (verdicts == "noise")[is_edge])


def by_numbers(edges: RatedEdges, pairs: Candidates, *, flags: int) -> list[Row]:
    """Return the score that chose the edges, and both degrees, flagging as many as the rater.

    A degree is read in the direction that finds more, which nobody could know without the truth:
    it is the stronger opponent.
    """
    train = edges.train
    scores: dict[str, Scores] = {
        "candidate score alone": -pairs.scores[pairs.is_edge],
        "item degree alone": train.item_degrees()[train.items[edges.at]].astype(np.float64),
        "user degree alone": train.user_degrees()[train.users[edges.at]].astype(np.float64),
    }
    rows = []
    for name, score in scores.items():
        degree = "degree" in name
        suspicion = -score if degree and auc(score, edges.planted) < 1 / 2 else score
        flagged = np.zeros(len(suspicion), dtype=np.bool_)
        flagged[np.argsort(-suspicion, kind="stable")[:flags]] = True
        rows.append(_row(name, edges, suspicion, flagged))
    return rows


def certainty(rated: RatedPairs) -> Scores:
    """Return the sum of both labels, 0 (two Lows) to 4 (two Highs); a missing one counts as Mid."""
    return heard(rated.user_view) + heard(rated.item_view)


def heard(view: Labels) -> npt.NDArray[np.float64]:
    """Return a view's labels as numbers, 0 (Low) to 2 (High); a missing one counts as Mid: (C,)."""
    return np.where(view == MISSING, MID, view).astype(np.float64)


def _row(name: str, edges: RatedEdges, suspicion: Scores, flagged: Bools) -> Row:
    return {"name": name, **asdict(detect(suspicion, edges.planted, flagged=flagged))}
