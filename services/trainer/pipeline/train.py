"""train: the denoised model, LLMHNI on the observed and the refined graph (Eq. 23)."""

from services.recsys.data import Embeddings, Interactions, Signals
from services.recsys.methods.llmhni import LLMHNI
from services.recsys.registry import BACKBONES
from services.shared.stages import StageName
from services.trainer import spec, training, vectors
from services.trainer.context import Context, Result
from services.trainer.device import device
from services.trainer.pipeline.align import ALIGNED, TEXTS
from services.trainer.pipeline.refine import HARD, REFINED, read_graph
from services.trainer.snapshot import files


def run(context: Context) -> Result:
    """Train on G and G' with early stopping on validation."""
    split = files.read(context.folder(StageName.SNAPSHOT)).split
    params, seeds = context.spec.params, context.seeds()
    recipe = spec.denoised(params)
    backbone = BACKBONES[context.spec.backbone]
    signals = _signals(context, split.train)
    method = LLMHNI(recipe, backbone, split.train, signals, seeds=seeds, device=device())
    trained = training.train(context, method, recipe, split, seeds=seeds, patience=params.patience)
    with context.writing() as draft:
        training.save(draft.folder, trained)
    return Result(training.figures(trained), draft.manifest)


def _signals(context: Context, train: Interactions) -> Signals:
    refined = context.folder(StageName.REFINE)
    return Signals(
        aligned=_vectors(context, ALIGNED),
        texts=_vectors(context, TEXTS),
        refined=read_graph(refined / REFINED, train),
        hard=read_graph(refined / HARD, train),
    )


def _vectors(context: Context, name: str) -> Embeddings | None:
    if StageName.ALIGN.value not in context.run.artifacts:
        return None
    return vectors.load(context.folder(StageName.ALIGN) / name).to(device())
