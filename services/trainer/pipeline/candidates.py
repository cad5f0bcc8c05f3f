"""candidates: the suspicious pairs that the LLM is asked about (Eq. 12), under the budget."""

import json

from sqlalchemy.orm import Session

from services.recsys.candidates import Candidates, choose_candidates
from services.recsys.data import Embeddings, Interactions
from services.recsys.suspicion import Scores, leave_one_out, rank_average, text_cosine
from services.recsys.topk import NO_ITEM, inner_product
from services.shared.db.repos import candidates as repo
from services.shared.db.repos.candidates import NewCandidate
from services.shared.stages import StageName
from services.trainer import spec, training, vectors
from services.trainer.context import Context, Result
from services.trainer.pipeline.align import TEXTS
from services.trainer.snapshot import files
from services.trainer.snapshot.files import Snapshot
from services.trainer.snapshot.words import locate


def run(context: Context) -> Result:
    """Score every edge out of sample, choose the pairs, write them with their shelves."""
    snapshot = files.read(context.folder(StageName.SNAPSHOT))
    train = snapshot.split.train
    pretrained = vectors.load(context.folder(StageName.PRETRAIN) / training.MODEL)
    config = spec.candidates(context.spec)
    chosen = choose_candidates(
        train,
        inner_product(pretrained),
        edge_scores=edge_scores(train, texts_of(context)),
        config=config,
        rng=context.seeds().numpy("candidates"),
        decided=locate(snapshot).pairs(train),  # nothing is paid for what a person has said
    )
    rows, run_ = _rows(chosen, snapshot), context.run

    def record(session: Session) -> None:
        repo.replace(session, rows, run_id=run_.id, project_id=run_.project_id)

    edges = int(chosen.is_edge.sum())
    figures = {
        "pairs": len(chosen),
        "edges": edges,
        "non_edges": len(chosen) - edges,
        "budget_pairs": config.budget,
        "share_of_edges": edges / len(train),
    }
    return Result(figures, record=record)


def texts_of(context: Context) -> Embeddings | None:
    """Return the text vectors that the alignment used; None when there were none."""
    if StageName.ALIGN.value not in context.run.artifacts:
        return None
    return vectors.load(context.folder(StageName.ALIGN) / TEXTS)


def edge_scores(train: Interactions, texts: Embeddings | None) -> Scores:
    """Return how well each train edge fits, out of sample: co-occurrence and texts, by ranks."""
    scores = leave_one_out(train)
    if texts is None:
        return rank_average(scores)
    return rank_average(scores, text_cosine(texts, users=train.users, items=train.items))


def _rows(chosen: Candidates, snapshot: Snapshot) -> list[NewCandidate]:
    users, items = snapshot.user_ids, snapshot.item_ids
    columns = (chosen.users, chosen.items, chosen.is_edge, chosen.scores, chosen.history)
    return [
        NewCandidate(
            user_id=users[u],
            item_id=items[i],
            edge=edge,
            score=score,
            history=json.dumps([items[j] for j in shelf if j != NO_ITEM]),
        )
        for u, i, edge, score, shelf in zip(*(c.tolist() for c in columns), strict=True)
    ]
