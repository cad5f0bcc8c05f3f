"""The registry: every name can be made and trained the same way."""

import pytest
import torch

from services.recsys.data import Signals
from services.recsys.loop import fit
from services.recsys.registry import BACKBONES, METHODS
from services.recsys.seeds import Seeds
from tests.recsys.planted import circles


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_trains_every_backbone_from_its_names(
    name: str, backbone: str, device: torch.device
) -> None:
    world, seeds, entry = circles(1), Seeds(1), METHODS[name]
    config = entry.config(d=4, epochs=1)
    method = entry.make(
        config,
        BACKBONES[backbone],
        world.train,
        Signals(),
        seeds=seeds,
        device=device,
    )
    fitted = fit(
        method, world.train, epochs=config.epochs, batch_size=config.B, lr=config.lr, seeds=seeds
    )
    # NGCF's vectors are its three layers side by side
    assert fitted.embeddings.users.shape == (60, 12 if backbone == "ngcf" else 4)
    assert fitted.scores.shape == (1, 540)
