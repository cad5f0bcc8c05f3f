"""NGCF message by message, its gradients, its dropout, and what it learns under both methods."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from services.recsys.adjacency import Adjacency
from services.recsys.backbones.ngcf import NGCF, twins
from services.recsys.checkpoint import NAME
from services.recsys.data import Batch, Embeddings, Interactions, Signals
from services.recsys.loop import Fit, fit
from services.recsys.methods import bpr, llmhni
from services.recsys.seeds import Seeds
from tests.recsys.planted import circles, held_out_auc, random_graph, triples, vectors
from tests.spec import slow_ngcf

D, LAYERS = 3, 2


class Silent(NGCF):
    """Without dropout, so that a training step is the equation itself."""

    p = 0.0


def made(
    edges: Interactions, device: torch.device, *, kind: type[NGCF] = NGCF, seed: int = 4
) -> tuple[NGCF, Tensor]:
    """A model in float64 and the entries of its graph."""
    graph = Adjacency.of(edges).to(device)
    X = vectors(1, edges.n_users + edges.n_items, D)
    model = kind(graph, X, n_layers=LAYERS, seeds=Seeds(seed)).double()
    return model, graph.normalise(torch.from_numpy(edges.values()).double().to(device))


def slow(model: NGCF, edges: Interactions, **how: list[slow_ngcf.Arrived]) -> np.ndarray:
    W1, W2 = model.W1.tolist(), model.W2.tolist()
    found = slow_ngcf.embeddings(
        triples(edges), model.X.tolist(), W1, W2, n_users=edges.n_users, slope=0.2, **how
    )
    return np.array(found)


def stacked(z: Embeddings) -> np.ndarray:
    return torch.cat([z.users, z.items]).detach().cpu().numpy()


@pytest.mark.parametrize("weighted", [False, True])
def test_layers_side_by_side_equal_the_messages_of_slow_python(
    device: torch.device, *, weighted: bool
) -> None:
    edges = random_graph(4, weighted=weighted)
    model, entries = made(edges, device)
    with torch.no_grad():
        found = stacked(model.embeddings(entries))
    assert found.shape == (16, D * (LAYERS + 1))
    np.testing.assert_allclose(found, slow(model, edges), atol=1e-7)


def test_one_user_and_one_item_by_hand(device: torch.device) -> None:
    edges = Interactions.build(users=[0], items=[0], n_users=1, n_items=1)
    graph = Adjacency.of(edges).to(device)
    model = Silent(graph, torch.tensor([[3.0], [-2.0]]), n_layers=1, seeds=Seeds(1))
    with torch.no_grad():
        model.W1.fill_(0.5)
        model.W2.fill_(10.0)
    # both hear .5 (3 - 2) + 10 (3 * -2) = -59.5, which leaks by .2
    z = model.embeddings(torch.ones(2, device=device))
    assert stacked(z).tolist() == pytest.approx(np.array([[3.0, -11.9], [-2.0, -11.9]]))


def test_a_training_step_drops_single_messages_and_lifts_the_rest(device: torch.device) -> None:
    edges = random_graph(4, weighted=True)
    model, entries = made(edges, device)
    graph, rng = model.graph, Seeds(4).torch("messages", device=device)
    n, count = graph.n_users + graph.n_items, len(graph.entry_edge)
    to = np.repeat(np.arange(n), np.diff(graph.offsets.cpu().numpy()))
    arrived = []
    for _ in range(LAYERS):
        coins, own = (torch.rand(size, generator=rng, device=device).cpu() for size in (count, n))
        heard = zip(to.tolist(), graph.neighbours.tolist(), coins.tolist(), strict=True)
        layer = {(a, b): float(coin >= 0.1) / 0.9 for a, b, coin in heard}
        arrived.append(layer | {(a, a): float(c >= 0.1) / 0.9 for a, c in enumerate(own.tolist())})
    one_way = [layer[a, b] != layer[b, a] for layer in arrived for a, b in layer]
    assert any(one_way)  # else the transpose below would tell nothing
    found = stacked(model.embeddings(entries))
    np.testing.assert_allclose(found, slow(model, edges, arrived=arrived), rtol=1e-6, atol=1e-6)


def test_served_vectors_lack_no_message_and_use_no_draw(device: torch.device) -> None:
    edges = random_graph(4)
    model, entries = made(edges, device)
    before = model._rng.get_state()
    with torch.no_grad():
        first, again = (stacked(model.embeddings(entries)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(model._rng.get_state(), before)
    trained = [stacked(model.embeddings(entries)) for _ in range(2)]
    assert not np.array_equal(*trained)


def test_its_gradients_agree_with_finite_differences(device: torch.device) -> None:
    edges = random_graph(5, n_users=4, n_items=4, edges=6)
    model, entries = made(edges, device)
    start = model._rng.get_state()

    def whole(*_: Tensor) -> Tensor:
        model._rng.set_state(start)  # the same messages fall at every evaluation
        z = model.embeddings(entries)
        return torch.cat([z.users, z.items])

    # the check shifts each number of its inputs in place: of the model's own parameters
    assert torch.autograd.gradcheck(whole, [model.X, model.W1, model.W2])


def test_a_twin_is_the_entry_of_the_same_pair_from_the_other_side() -> None:
    graph = Adjacency.of(random_graph(6))
    n = graph.n_users + graph.n_items
    rows = torch.repeat_interleave(torch.arange(n), graph.offsets.diff())
    twin = twins(graph)
    assert torch.equal(rows[twin], graph.neighbours.long())
    assert torch.equal(graph.neighbours.long()[twin], rows)


def test_it_is_not_made_without_seeds() -> None:
    with pytest.raises(ValueError, match="seeds"):
        NGCF(Adjacency.of(random_graph(1)), torch.zeros(16, 2), n_layers=1)


CONFIGS = {
    "bpr": bpr.Config(d=4, epochs=12, B=128, loss="bpr", lr=1e-2, start="normal"),
    "softmax": bpr.Config(d=4, epochs=8, B=64, n_shared=16),
    "llmhni": llmhni.Config(d=4, epochs=8, B=64, n_shared=16, K=3, M=4),
    "printed": llmhni.Config(
        d=4, epochs=20, B=128, loss="bpr", pool="relu", lr=1e-2, start="normal", K=3, M=4
    ),
}


def trained(name: str, device: torch.device, *, seed: int = 1, folder: Path | None = None) -> Fit:
    world, seeds, config = circles(1), Seeds(seed), CONFIGS[name]
    texts = Embeddings(vectors(1, 60, 3).float(), vectors(2, 40, 3).float())
    made_of = {"train": world.train, "seeds": seeds, "device": device}
    if isinstance(config, bpr.Config):
        method: bpr.BPR | llmhni.LLMHNI = bpr.BPR(config, NGCF, **made_of)
    else:
        signals = Signals(aligned=texts, refined=world.clean)
        method = llmhni.LLMHNI(config, NGCF, signals=signals, **made_of)
    return fit(
        method,
        world.train,
        epochs=config.epochs,
        batch_size=config.B,
        lr=config.lr,
        seeds=seeds,
        checkpoint_dir=folder,
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_two_circles_of_taste_are_learned(name: str, device: torch.device) -> None:
    fitted = trained(name, device)
    assert held_out_auc(fitted.embeddings, circles(1)) > 0.75
    assert fitted.embeddings.users.shape == (60, 4 * 3)


def test_both_graphs_and_their_views_reach_its_weights(device: torch.device) -> None:
    world = circles(1)
    batch = Batch(*(torch.arange(40, device=device) for _ in range(2)), torch.ones(40).to(device))
    method = llmhni.LLMHNI(
        llmhni.Config(d=4),
        Silent,
        world.train,
        Signals(refined=world.clean),
        seeds=Seeds(1),
        device=device,
    )
    weights = [method.backbone.X, *(p for n, p in method.backbone.named_parameters() if n != "X")]
    assert len(weights) == 3
    parts = method.loss(batch, 0).parts
    for name in ("rec", "de", "hal"):
        for gradient in torch.autograd.grad(parts[name], weights, retain_graph=True):
            assert gradient.abs().sum() > 0
    served = method.served()
    assert list(served) == ["raw", "refined"]
    assert not torch.equal(served["raw"].users, served["refined"].users)


def test_one_seed_gives_one_history_and_another_seed_another(device: torch.device) -> None:
    first, again, other = (trained("softmax", device, seed=seed) for seed in (1, 1, 2))
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.losses.tobytes() == again.losses.tobytes()
    assert first.scores.tobytes() != other.scores.tobytes()


def test_its_weights_are_in_the_checkpoint(tmp_path: Path, device: torch.device) -> None:
    from safetensors import safe_open  # noqa: PLC0415 - one test reads the file itself

    trained("softmax", device, folder=tmp_path)
    with safe_open(tmp_path / NAME, framework="pt") as file:
        names = set(file.keys())
    assert {f"method/backbone.{name}" for name in ("X", "W1", "W2")} <= names
    assert {f"adam/{index}/exp_avg" for index in range(3)} <= names
