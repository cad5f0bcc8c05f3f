"""Rows of the raw model: every backbone of the registry with BPR, DNS and sampled softmax."""

from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from services.recsys.methods.bpr import BPR, Config
from services.recsys.registry import BACKBONES
from services.trainer.bench import trained
from services.trainer.bench.rows import Made, Row, Work

CPU = torch.device("cpu")
EPOCHS, PATIENCE = 60, 10
"""Of every trained row but the printed recipe's: validation ends it, not the number."""
LOSSES = {
    "sampled softmax": Config(epochs=EPOCHS),
    "BPR": Config(epochs=EPOCHS, loss="bpr"),
    "DNS": Config(epochs=EPOCHS, loss="bpr", negatives="dns"),
}
FIRST = "lightgcn"
"""The backbone whose rows go first."""
NAMES = {"lightgcn": "LightGCN", "mf": "MF", "ngcf": "NGCF"}


def raw_rows(*, epochs: int | None = None) -> list[Row]:
    """Return one row per backbone and loss; `epochs` caps all of them."""
    return [
        raw_row(backbone, loss, capped(config, epochs))
        for backbone in backbones()
        for loss, config in LOSSES.items()
    ]


def capped(config: Config, epochs: int | None) -> Config:
    """Return a config with at most so many epochs."""
    return config if epochs is None else replace(config, epochs=min(epochs, config.epochs))


def backbones() -> list[str]:
    """Return the registry's names, the one that goes first at the front."""
    return sorted(BACKBONES, key=lambda name: (name != FIRST, name))


def title(backbone: str) -> str:
    """Return a backbone's name as its paper writes it."""
    return NAMES.get(backbone, backbone)


def raw_row(backbone: str, loss: str, config: Config) -> Row:
    """Return a row of one backbone with one loss."""
    return Row(
        name=f"{title(backbone)}, {loss}",
        plan={"method": "bpr", "backbone": backbone, **asdict(config), "patience": PATIENCE},
        make=_maker(backbone, config),
        resumes=True,
        late=0 if backbone == FIRST else 1,
        printed="LightGCN" if (backbone, loss) == (FIRST, "BPR") else "",
        notes={"setting": trained.setting(config, PATIENCE)},
    )


def _maker(backbone: str, config: Config) -> Callable[[Work], Made]:
    def make(work: Work) -> Made:
        return trained.made(
            work,
            config,
            lambda own: BPR(config, BACKBONES[backbone], work.graph, seeds=own, device=CPU),
            stage="train_raw",
            patience=PATIENCE,
        )

    return make
