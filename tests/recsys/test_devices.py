"""A GPU's losses are the CPU's: on a graph where no draw can make a difference."""

import numpy as np
import pytest
import torch

from services.recsys.backbones.ngcf import NGCF
from services.recsys.data import Embeddings, Interactions, Signals
from services.recsys.loop import fit
from services.recsys.methods import bpr, llmhni
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from tests.recsys.planted import vectors

CPU = torch.device("cpu")

# Each of 12 users has taken all 9 items but one: every negative is forced, by whatever device.
USERS, ITEMS = (side.ravel() for side in np.indices((12, 9)))
TAKEN = USERS % 9 != ITEMS
G = Interactions.build(users=USERS[TAKEN], items=ITEMS[TAKEN], n_users=12, n_items=9)
REFINED = G.where(np.arange(len(G)) % 7 != 0)


class Silent(NGCF):
    """Without dropout, whose draws would differ."""

    p = 0.0


class Elsewhere(Seeds):
    """As a GPU's generators: the same names, other draws. What the CPU always draws is kept."""

    def integer(self, name: str) -> int:
        return super().integer(name + " elsewhere" if name in {"negatives", "views"} else name)


COMMON = {"d": 8, "epochs": 6, "B": 16, "lr": 1e-2, "start": "normal", "lambda_reg": 1e-3}
FORCED = {"K": 1, "M": 1, "rho": 0.0, "lambda_1": 0.5, "lambda_2": 0.5, "positives": "edges"}
CONFIGS = {
    "bpr": bpr.Config(**COMMON, loss="bpr"),  # type: ignore[arg-type]
    "dns": bpr.Config(**COMMON, loss="bpr", negatives="dns"),  # type: ignore[arg-type]
    "softmax": bpr.Config(**COMMON, n_shared=9),  # type: ignore[arg-type]
    "printed": llmhni.Config(**COMMON, **FORCED, loss="bpr", pool="relu"),  # type: ignore[arg-type]
    "default": llmhni.Config(**COMMON, **FORCED, n_shared=9),  # type: ignore[arg-type]
}


def losses(name: str, backbone: str, device: torch.device, seeds: Seeds) -> list[float]:
    """Every term of every epoch."""
    config, model = CONFIGS[name], Silent if backbone == "ngcf" else BACKBONES[backbone]
    texts = Embeddings(vectors(1, 12, 3).float(), vectors(2, 9, 3).float())
    signals = Signals(aligned=texts, refined=REFINED)
    made = bpr.BPR if isinstance(config, bpr.Config) else llmhni.LLMHNI
    method = made(config, model, G, signals, seeds=seeds, device=device)  # type: ignore[arg-type]
    fitted = fit(method, G, epochs=6, batch_size=16, lr=1e-2, seeds=seeds)
    return [part for epoch in fitted.epochs for part in epoch.parts.values()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU to compare with")
@pytest.mark.parametrize("backbone", sorted(BACKBONES))
@pytest.mark.parametrize("name", CONFIGS)
def test_losses_agree_between_devices(name: str, backbone: str) -> None:
    both = (CPU, torch.device("cuda"))
    here, there = (losses(name, backbone, device, Seeds(1)) for device in both)
    assert there == pytest.approx(here, abs=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_other_draws_of_what_a_device_draws_change_nothing_here(name: str) -> None:
    # so that what a GPU makes otherwise is its arithmetic, not its dice
    first, second = (losses(name, "lightgcn", CPU, seeds) for seeds in (Seeds(1), Elsewhere(1)))
    assert second == pytest.approx(first, abs=1e-6)
    assert losses(name, "lightgcn", CPU, Seeds(2)) != pytest.approx(first, abs=1e-3)
