"""The raw model: its loss by hand, its options, and what it learns."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.backbones.mf import MF
from services.recsys.data import Batch, Interactions
from services.recsys.loop import Fit, fit
from services.recsys.methods.bpr import BPR, Config
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from tests.recsys.planted import circles, held_out_auc, triples
from tests.spec import slow_graph
from tests.spec import slow_losses as slow

# Each user has one free item, so that every negative is forced: item 2 and item 0.
FORCED = Interactions.build(
    users=[0, 0, 1, 1], items=[0, 1, 1, 2], n_users=2, n_items=3, weights=[1.0, 0.5, 1.0, 0.25]
)


def batch_on(device: torch.device) -> Batch:
    columns = ([0, 1], [1, 2], [0.5, 0.25])
    return Batch(*(torch.tensor(column, device=device) for column in columns))


def vectors_of(method: BPR) -> list[list[float]]:
    """LightGCN's embeddings of the method's X, by slow Python."""
    matrix = slow_graph.normalised(triples(FORCED), n_users=2, n_items=3)
    return slow_graph.layer_mean(matrix, method.backbone.X.tolist(), n_layers=2)


def trained(
    config: Config, device: torch.device, *, seed: int = 1, backbone: str = "lightgcn"
) -> Fit:
    world, seeds = circles(1), Seeds(seed)
    method = BPR(config, BACKBONES[backbone], world.train, seeds=seeds, device=device)
    return fit(
        method, world.train, epochs=config.epochs, batch_size=config.B, lr=config.lr, seeds=seeds
    )


def test_bpr_on_a_batch_equals_the_equation_done_by_hand(device: torch.device) -> None:
    config = Config(d=4, start="normal", loss="bpr", lambda_reg=0.1)
    method = BPR(config, LightGCN, FORCED, seeds=Seeds(1), device=device)
    loss, z, X = method.loss(batch_on(device), 0), vectors_of(method), method.backbone.X.tolist()
    first = slow.bpr(slow.dot(z[0], z[2 + 1]), slow.dot(z[0], z[2 + 2]))
    second = slow.bpr(slow.dot(z[1], z[2 + 2]), slow.dot(z[1], z[2 + 0]))
    assert loss.pairs.tolist() == pytest.approx([first, second], abs=1e-6)
    assert loss.parts["rec"].item() == pytest.approx((2 * first + second) / 3, abs=1e-6)
    squares = sum(slow.dot(X[row], X[row]) for row in (0, 1, 2 + 1, 2 + 2))
    assert loss.parts["reg"].item() == pytest.approx(0.1 * squares / 4, abs=1e-6)
    assert loss.total().item() == pytest.approx((2 * first + second) / 3 + 0.1 * squares / 4)


def test_the_softmax_on_a_batch_equals_the_equation_done_by_hand(device: torch.device) -> None:
    config = Config(d=4, start="normal", tau=0.2)
    method = BPR(config, LightGCN, FORCED, seeds=Seeds(1), device=device)
    loss, z = method.loss(batch_on(device), 0), vectors_of(method)
    # all three items are shared negatives and the taken two are struck out
    expected = [
        slow.sampled_softmax(
            slow.cosine(z[user], z[2 + item]), [slow.cosine(z[user], z[2 + free])], tau=0.2
        )
        for user, item, free in [(0, 1, 2), (1, 2, 0)]
    ]
    assert loss.pairs.tolist() == pytest.approx(expected, abs=1e-5)


def test_served_dot_products_are_the_scores_that_were_trained(device: torch.device) -> None:
    method = BPR(
        Config(d=4, start="normal", tau=0.2), LightGCN, FORCED, seeds=Seeds(1), device=device
    )
    z, served = vectors_of(method), method.served()["raw"]
    expected = [[slow.cosine(z[u], z[2 + i]) / 0.2 for i in range(3)] for u in range(2)]
    np.testing.assert_allclose(served.scores(torch.arange(2)).cpu(), expected, atol=1e-5)
    plain = BPR(
        Config(d=4, start="normal", loss="bpr"), LightGCN, FORCED, seeds=Seeds(1), device=device
    )
    expected = [[slow.dot(z[u], z[2 + i]) for i in range(3)] for u in range(2)]
    np.testing.assert_allclose(
        plain.served()["raw"].to("cpu").scores(torch.arange(2)), expected, atol=1e-6
    )


@pytest.mark.parametrize(
    "config",
    [
        Config(d=4, epochs=8, B=64, n_shared=16),
        Config(d=4, epochs=30, B=32, loss="bpr", lr=1e-2, start="normal"),
        Config(d=4, epochs=30, B=32, loss="bpr", negatives="dns", M=5, lr=1e-2, start="normal"),
    ],
    ids=["softmax", "bpr", "dns"],
)
@pytest.mark.parametrize("backbone", ["lightgcn", "mf"])
def test_two_circles_of_taste_are_learned(
    config: Config, backbone: str, device: torch.device
) -> None:
    fitted = trained(config, device, backbone=backbone)
    # one edge in nine crosses the circles; knowing nothing would be .5
    assert held_out_auc(fitted.embeddings, circles(1)) > 0.75
    assert fitted.epochs[-1].parts["rec"] < fitted.epochs[0].parts["rec"]


def test_one_seed_gives_one_history_and_another_seed_another(device: torch.device) -> None:
    config = Config(d=8, epochs=2, B=64, n_shared=16, start="normal")
    first, again, other = (trained(config, device, seed=seed) for seed in (1, 1, 2))
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.losses.tobytes() == again.losses.tobytes()
    assert first.scores.tobytes() != other.scores.tobytes()


def test_edges_that_cross_the_circles_keep_the_larger_losses(device: torch.device) -> None:
    world = circles(1)
    losses = trained(Config(d=8, epochs=8, B=64, n_shared=16), device).losses[-1]
    assert losses[world.noise].mean() > losses[~world.noise].mean() + 0.1


def test_mf_ignores_the_graph(device: torch.device) -> None:
    method = BPR(Config(d=4, loss="bpr"), MF, FORCED, seeds=Seeds(1), device=device)
    assert torch.equal(method.served()["raw"].users, method.backbone.X[:2])


def test_a_config_goes_through_json_and_back() -> None:
    config = Config(loss="bpr", negatives="dns", lambda_reg=1e-4)
    assert Config(**json.loads(json.dumps(asdict(config)))) == config
