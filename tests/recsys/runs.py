"""A small LLMHNI run with every term on; as a program it kills itself in its third epoch."""

import os
import signal
import sys
from pathlib import Path

import torch

from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Embeddings, Signals
from services.recsys.loop import Fit, fit
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.seeds import Seeds
from tests.recsys.planted import circles, vectors

CONFIG = Config(d=8, epochs=5, B=64, n_shared=16, K=3, M=4)


def resumed(folder: Path, *, dies_at_batch: int | None = None) -> Fit:
    """Train, from the checkpoint in the folder if there is one."""
    world, seeds = circles(1), Seeds(9)
    texts = Embeddings(vectors(1, 60, 4).float(), vectors(2, 40, 4).float())
    method = LLMHNI(
        CONFIG,
        LightGCN,
        world.train,
        Signals(aligned=texts, refined=world.clean),
        seeds=seeds,
        device=torch.device("cpu"),
    )
    asked = iter(range(10**6))

    def die() -> bool:
        if next(asked) == dies_at_batch:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    return fit(
        method,
        world.train,
        epochs=CONFIG.epochs,
        batch_size=CONFIG.B,
        lr=CONFIG.lr,
        seeds=seeds,
        checkpoint_dir=folder,
        should_stop=die,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    # 480 clean pairs are 8 batches of 64: batch 20 lies in the third epoch
    resumed(Path(sys.argv[1]), dies_at_batch=20)
