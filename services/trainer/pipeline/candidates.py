"""candidates: the suspicious pairs that the LLM is asked about (Eq. 12), under the budget."""

import json

from sqlalchemy.orm import Session

from services.recsys.candidates import Candidates, choose_candidates
from services.recsys.data import Embeddings
from services.recsys.edge_scores import score_edges
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
    """Score every edge as the run asks, choose the pairs, write them with their shelves."""
    snapshot = files.read(context.folder(StageName.SNAPSHOT))
    train = snapshot.split.train
    pretrained = vectors.load(context.folder(StageName.PRETRAIN) / training.MODEL)
    config = spec.candidates(context.spec)
    score_block = inner_product(pretrained)
    texts, rng = texts_of(context), context.seeds().numpy("edge_scores")
    chosen = choose_candidates(
        train,
        score_block,
        edge_scores=score_edges(config.edge_scores, train, score_block, texts=texts, rng=rng),
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
