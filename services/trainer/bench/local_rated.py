"""What the local endpoint's ratings add to a score, on a bounded number of pairs.

Each pair is asked about twice over: with the folder's profile of the user, and with the user as
the train edges tell them, the beginnings of the texts of some of their other items. The item view
shows the same other items either way.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.recsys.candidates import CandidateConfig, Candidates, liked
from services.recsys.closed_forms import GfCf
from services.recsys.data import Bools, Interactions, Ints
from services.recsys.metrics import precision_recall
from services.recsys.suspicion import Scores, rank_average
from services.recsys.topk import NO_ITEM, ScoreBlock, top_k_lists
from services.recsys.verdicts import HIGH, RatedPairs
from services.trainer.bench import endpoint
from services.trainer.bench.answers import Asked
from services.trainer.bench.arms import rated
from services.trainer.bench.catching import certainty, heard
from services.trainer.bench.corpus import TOLD_CHARS, Corpus
from services.trainer.bench.detect_report import Section
from services.trainer.bench.peers import tell
from services.trainer.bench.standing import area, kept, share

PROFILES = ("given", "composed")
TOP = 10
"""n1: the highest non-edges of a user that are asked about."""
Row = list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """Pairs to rate, and what is true of them."""

    pairs: Candidates  # scores: low is suspicious of an edge, high promises a non-edge
    truth: Bools  # (C,) planted, of edges; hidden, of non-edges
    missed: int = 0  # hidden edges of the asked users that are no candidates


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A text for each pair's user, and for each item."""

    users: tuple[str, ...]
    items: tuple[str, ...]


def suspicious(train: Interactions, fake: Bools, score: Scores, *, most: int) -> Question:
    """Ask about the least plausible edges of the graph, each with some of the user's others."""
    at = np.argsort(score, kind="stable")[:most]
    pairs = _candidates(train, train.users[at], train.items[at], score[at], edges=True)
    return Question(pairs=pairs, truth=fake[at])


def missing(train: Interactions, hidden: Interactions, users: Ints) -> Question:
    """Ask about the best non-edges of these users by GF-CF; some of their edges are hidden."""
    model = GfCf().fit(train).score_block
    items, scores = top_k_lists(model, users, seen=train, k=TOP)
    at, column = np.nonzero(items != NO_ITEM)
    pairs = _candidates(
        train,
        users[at],
        items[at, column],
        scores[at, column].astype(np.float64),
        edges=False,
        model=model,
    )
    truth = hidden.contains(users=pairs.users, items=pairs.items)
    theirs = int(np.isin(hidden.users, users).sum())
    return Question(pairs=pairs, truth=truth, missed=theirs - int(truth.sum()))


def ask(corpus: Corpus, questions: Sequence[Question], out: Path) -> list[dict[str, RatedPairs]]:
    """Return each question's ratings by profile; what was answered before is not asked again."""
    with endpoint.serving(out / "local_llm.log") as client:
        asked = Asked(client, endpoint.about(client), out / "answers")
        return asyncio.run(_ask(corpus, questions, asked))


def suspicious_section(kind: str, question: Question, by_profile: dict[str, RatedPairs]) -> Section:
    """Return the table of a planting's least plausible edges."""
    planted = int(question.truth.sum())
    return Section(
        f"The local endpoint on the {len(question.truth)} least plausible edges, {kind} fakes",
        f"{planted} of them are planted. AUC among these edges ± standard error; precision of the "
        "lower half; the share of their true edges that stay when half of their planted are gone. "
        "The endpoint compares texts, it is no language model.",
        ["judge", "AUC", "precision at half", "true kept"],
        suspicious_rows(question, by_profile),
    )


def missing_section(question: Question, by_profile: dict[str, RatedPairs]) -> Section:
    """Return the table of hidden true edges among high-scored non-edges."""
    every = int(question.truth.sum()) + question.missed
    return Section(
        f"Hidden true edges: the local endpoint on {len(question.truth)} high-scored non-edges",
        f"A tenth of the train edges is hidden, {every} of them of the users asked about; each "
        f"user's {TOP} best non-edges by GF-CF are rated. Precision: hidden edges among what is "
        "added; recall: of all hidden edges of these users.",
        ["added", "pairs", "precision", "recall"],
        missing_rows(question, by_profile),
    )


def suspicious_rows(question: Question, by_profile: dict[str, RatedPairs]) -> list[Row]:
    """Return a row a judge: AUC, precision at half of the edges, true kept; [] of one kind."""
    score, fake = question.pairs.scores, question.truth
    if fake.all() or not fake.any():
        return []  # nothing to tell apart
    judges = {"plausibility alone": score}
    for profile, pairs in by_profile.items():
        views = {"user view": pairs.user_view, "item view": pairs.item_view}
        for name, view in views.items():
            judges[f"{name} [{profile}]"] = heard(view)
        both = certainty(pairs).astype(np.float64)
        judges[f"both views [{profile}]"] = both
        judges[f"both views and plausibility [{profile}]"] = rank_average(both, score)
    rows = []
    for name, judge in judges.items():
        flagged = np.zeros(len(fake), dtype=np.bool_)
        flagged[np.argsort(judge, kind="stable")[: len(fake) // 2]] = True
        figures = [area(-judge, fake), share(fake[flagged])]
        told = [f"{value:.3f} ± {error:.3f}" for value, error in figures]
        rows.append([name, *told, f"{kept(judge, fake, ~fake):.3f}"])
    return rows


def missing_rows(question: Question, by_profile: dict[str, RatedPairs]) -> list[Row]:
    """Return a row a judge of the asked non-edges: precision and recall of what it adds."""
    truth = question.truth
    every = truth.sum() + question.missed
    added = {"every candidate": np.ones(len(truth), dtype=np.bool_)}
    for profile, pairs in by_profile.items():
        highs = np.minimum(pairs.user_view, pairs.item_view) == HIGH
        added[f"C_H, two Highs [{profile}]"] = highs
        best = np.zeros(len(truth), dtype=np.bool_)
        best[np.argsort(-question.pairs.scores, kind="stable")[: int(highs.sum())]] = True
        added[f"as many by score alone [{profile}]"] = best
    rows = []
    for name, chosen in added.items():
        precision, _ = precision_recall(chosen, truth)
        error = share(truth[chosen])[1]
        recall = (chosen & truth).sum() / max(every, 1)
        rows.append([name, f"{chosen.sum()}", f"{precision:.3f} ± {error:.3f}", f"{recall:.3f}"])
    return rows


async def _ask(
    corpus: Corpus, questions: Sequence[Question], asked: Asked
) -> list[dict[str, RatedPairs]]:
    async with asked.client:
        return [
            {name: await _rated(corpus, one.pairs, asked, name) for name in PROFILES}
            for one in questions
        ]


async def _rated(corpus: Corpus, pairs: Candidates, asked: Asked, profile: str) -> RatedPairs:
    tell(f"rating {len(pairs)} pairs, profiles {profile}")
    own = Candidates(  # the texts are by pair: a user's other items differ between pairs
        users=np.arange(len(pairs)),
        items=pairs.items,
        is_edge=pairs.is_edge,
        scores=pairs.scores,
        history=pairs.history,
    )
    users = [_words(corpus, pairs, row, profile) for row in range(len(pairs))]
    texts = Texts(users=tuple(users), items=corpus.items)
    return rated(pairs, await asked.views(texts, own, on_progress=lambda _done, _of: None))


def _words(corpus: Corpus, pairs: Candidates, row: int, profile: str) -> str:
    if profile == "given":
        return corpus.users[int(pairs.users[row])]
    others = [item for item in pairs.history[row].tolist() if item != NO_ITEM]
    return "\n".join(corpus.items[item][:TOLD_CHARS] for item in others)


def _candidates(
    train: Interactions,
    users: Ints,
    items: Ints,
    scores: Scores,
    *,
    edges: bool,
    model: ScoreBlock | None = None,
) -> Candidates:
    ranks = model or GfCf().fit(train).score_block
    history = liked(train, ranks, users=users, items=items, config=CandidateConfig())
    return Candidates(
        users=users,
        items=items,
        is_edge=np.full(len(users), edges),
        scores=scores.astype(np.float64),
        history=history,
    )
