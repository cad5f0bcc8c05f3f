"""python -m services.trainer.bench.scale_child EDGES STEPS: one size in a process of its own.

Prints its figures as JSON. The process is the measure: its resident memory's high-water mark.
"""

import json
import os
import resource
import sys
import time

# before anything imports BLAS: one thread
os.environ.setdefault("OMP_NUM_THREADS", "1")  # noqa: TID251 - read by BLAS, not by us

import numpy as np
import torch

from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.checkpoint import Epoch
from services.recsys.data import Interactions
from services.recsys.loop import fit
from services.recsys.methods.bpr import BPR, Config
from services.recsys.seeds import Seeds
from services.trainer.bench.generated import generated

BATCHES = 500
"""An epoch has so many steps: the batch grows with the pairs."""


class Watched(BPR):
    """The method that notes when each of its steps begins."""

    began: list[float]

    def loss(self, batch, epoch):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, D102 - BPR's own
        self.began.append(time.process_time())
        return super().loss(batch, epoch)


def measure(edges: int, steps: int) -> dict[str, float]:
    """Return the figures of this size: CPU seconds and GiB."""
    train = generated(edges, seed=0)
    ready = _peak()
    size = -(-edges // BATCHES)
    config = Config(d=64, n_layers=3, B=size, lr=1e-3, loss="bpr", start="normal")
    method = Watched(config, LightGCN, train, seeds=Seeds(0), device=torch.device("cpu"))
    method.began = []
    made = _peak()
    # the whole loop, so that its memory counts; its pairs end after so many steps
    method.pairs = _first(train, size * steps)
    told = list[Epoch]()
    fit(
        method,
        train,
        epochs=1,
        batch_size=size,
        lr=config.lr,
        seeds=Seeds(0),
        on_epoch=told.append,
    )
    step = float(np.median(np.diff(method.began)))
    return {
        "edges": edges,
        "users": train.n_users,
        "items": train.n_items,
        "batch": size,
        "steps": steps,
        "s a step": step,
        "s an epoch": step * BATCHES,
        "GiB of the data": ready,
        "GiB with the model": made,
        "GiB at the peak": _peak(),
    }


def _first(train: Interactions, count: int) -> Interactions:
    """Return so many pairs, spread over all of them."""
    chosen = np.zeros(len(train), dtype=np.bool_)
    chosen[np.random.default_rng(0).permutation(len(train))[:count]] = True
    return train.where(chosen)


def _peak() -> float:
    """Return the highest resident memory so far in GiB; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
