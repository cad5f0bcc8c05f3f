"""pretrain: Rec_pre, a short training on the observed graph (the model of Eq. 12)."""

from services.recsys.methods.bpr import BPR
from services.recsys.registry import BACKBONES
from services.shared.stages import StageName
from services.trainer import spec, training
from services.trainer.context import Context, Result
from services.trainer.device import device
from services.trainer.snapshot import files


def run(context: Context) -> Result:
    """Train the raw recipe for a few epochs and keep its vectors."""
    train = files.read(context.folder(StageName.SNAPSHOT)).split.train
    recipe, seeds = spec.pretrained(context.spec.params), context.seeds()
    backbone = BACKBONES[context.spec.backbone]
    method = BPR(recipe, backbone, train, seeds=seeds, device=device())
    trained = training.pretrain(context, method, recipe, train, seeds=seeds)
    with context.writing() as draft:
        training.save(draft.folder, trained)
    return Result(training.figures(trained), draft.manifest)
