"""align: text vectors moved into the recommender's space (Eq. 5-7)."""

import torch

from services.recsys.align import align
from services.recsys.data import Embeddings
from services.shared.stages import StageName
from services.trainer import spec, texts, vectors
from services.trainer.context import Context, Result
from services.trainer.device import device
from services.trainer.snapshot import files

ALIGNED, TEXTS = "aligned.safetensors", "texts.safetensors"


def run(context: Context) -> Result:
    """Train the projector on the train edges; without any vectors there is nothing to align."""
    snapshot = files.read(context.folder(StageName.SNAPSHOT))
    with context.session() as session:
        found = texts.load(session, snapshot, model=context.run.embedder)
    if found is None:
        return Result({"skipped": "no text has a vector"})
    config = spec.alignment(context.spec.params)
    losses: list[float] = []

    def on_epoch(number: int, loss: float) -> None:
        losses.append(loss)
        context.progress(number, total=config.epochs)

    rng = context.seeds().torch("align", device=device())
    aligned = align(found.vectors, snapshot.split.train, config=config, rng=rng, on_epoch=on_epoch)
    with context.writing() as draft:
        vectors.save(draft.folder / ALIGNED, aligned)
        vectors.save(draft.folder / TEXTS, _halved(found.vectors))
    figures = {
        "width": found.vectors.users.shape[1],
        "users_without_vector": int(found.missing_users.sum()),
        "items_without_vector": int(found.missing_items.sum()),
        "loss": losses,
    }
    return Result(figures, draft.manifest)


def _halved(found: Embeddings) -> Embeddings:
    """Return the vectors as precise as they came."""
    return Embeddings(found.users.to(torch.float16), found.items.to(torch.float16))
