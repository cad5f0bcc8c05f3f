"""The stage graph of a run: what waits for what."""

from collections.abc import Iterable
from enum import StrEnum

from services.shared.queues import Task


class StageName(StrEnum):
    """A stage of a run, in the order in which a reader thinks of them."""

    SNAPSHOT = "snapshot"
    EMBED = "embed"
    ALIGN = "align"
    PRETRAIN = "pretrain"
    CANDIDATES = "candidates"
    RATE = "rate"
    TRAIN_RAW = "train_raw"
    REFINE = "refine"
    TRAIN = "train"
    EVALUATE = "evaluate"
    PUBLISH = "publish"

    @property
    def task(self) -> Task:
        """Return the task whose message starts this stage."""
        return Task(f"stage.{self.value}")


WAITS_FOR: dict[StageName, tuple[StageName, ...]] = {
    StageName.SNAPSHOT: (),
    StageName.EMBED: (StageName.SNAPSHOT,),
    StageName.PRETRAIN: (StageName.SNAPSHOT,),
    StageName.ALIGN: (StageName.EMBED,),
    StageName.CANDIDATES: (StageName.ALIGN, StageName.PRETRAIN),
    StageName.RATE: (StageName.CANDIDATES,),
    StageName.TRAIN_RAW: (StageName.CANDIDATES,),  # beside the rating
    StageName.REFINE: (StageName.RATE,),
    StageName.TRAIN: (StageName.REFINE,),
    StageName.EVALUATE: (StageName.TRAIN, StageName.TRAIN_RAW),
    StageName.PUBLISH: (StageName.EVALUATE,),
}


def startable(done: Iterable[str], waiting: Iterable[str]) -> list[StageName]:
    """Return those of `waiting` whose every predecessor is in `done`, in the graph's order."""
    finished = set(done)
    left = set(waiting)
    return [
        name for name, needs in WAITS_FOR.items() if name in left and finished.issuperset(needs)
    ]
