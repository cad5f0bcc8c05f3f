"""train_raw: the same recipe on the observed graph, beside the rating; what denoising must beat."""

from services.recsys.methods.bpr import BPR
from services.recsys.registry import BACKBONES
from services.shared.stages import StageName
from services.trainer import spec, training
from services.trainer.context import Context, Result
from services.trainer.device import device
from services.trainer.snapshot import files


def run(context: Context) -> Result:
    """Train on G with early stopping on validation."""
    split = files.read(context.folder(StageName.SNAPSHOT)).split
    params, seeds = context.spec.params, context.seeds()
    recipe = spec.raw(params)
    backbone = BACKBONES[context.spec.backbone]
    method = BPR(recipe, backbone, split.train, seeds=seeds, device=device())
    trained = training.train(context, method, recipe, split, seeds=seeds, patience=params.patience)
    with context.writing() as draft:
        training.save(draft.folder, trained)
    return Result(training.figures(trained), draft.manifest)
