"""A device without room: batches go through in halves, with the whole batch's gradient."""

from pathlib import Path

import pytest
import torch

from services.recsys.data import Batch, Embeddings, Interactions
from services.recsys.loop import Fit, fit
from services.recsys.losses import l2, weighted_mean
from services.recsys.methods.bpr import BPR, Config
from services.recsys.objective import Loss, Method
from services.recsys.pieces import gradient
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from tests.recsys.planted import random_graph


class Cramped(Method):
    """Pulls x_u towards the item's number; its device holds `room` pairs."""

    def __init__(self, pairs: Interactions, device: torch.device, *, room: int) -> None:
        super().__init__()
        self.pairs, self.device, self.room = pairs, device, room
        self.x = torch.nn.Parameter(torch.linspace(-1, 1, pairs.n_users, device=device))
        self.tried: list[int] = []

    def loss(self, batch: Batch, epoch: int) -> Loss:  # noqa: ARG002 - no schedule
        self.tried.append(len(batch.users))
        if len(batch.users) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        x = self.x[batch.users]
        pairs = (x - batch.items).square()
        rec, reg = weighted_mean(pairs, batch.weights), l2(x.unsqueeze(1))
        return Loss({"rec": rec, "reg": reg}, pairs.detach())

    def served(self) -> dict[str, Embeddings]:
        x = self.x.detach().unsqueeze(1).clone()
        return {"raw": Embeddings(x, torch.ones(self.pairs.n_items, 1, device=self.device))}


def adam(method: Method) -> torch.optim.Optimizer:
    return torch.optim.Adam(method.parameters(), lr=0.1)


def whole(pairs: Interactions, device: torch.device) -> Batch:
    columns = (pairs.users, pairs.items, pairs.values())
    return Batch(*(torch.from_numpy(column).to(device) for column in columns))


def run(method: Method, folder: Path | None = None, *, epochs: int = 3) -> Fit:
    return fit(
        method,
        method.pairs,
        epochs=epochs,
        batch_size=16,
        lr=0.1,
        seeds=Seeds(1),
        checkpoint_dir=folder,
    )


def test_pieces_leave_the_gradient_and_the_loss_of_the_whole_batch(device: torch.device) -> None:
    pairs = random_graph(1, edges=21)
    found = []
    for room in (99, 3):
        method = Cramped(pairs, device, room=room)
        loss, rows = gradient(method, adam(method), whole(pairs, device), 0, rows=99)
        assert method.x.grad is not None
        found.append((method.x.grad.tolist(), loss.pairs.tolist(), loss.total().item()))
        assert rows == (99 if room == 99 else 2)
    (g, pair_losses, total), (g_, pair_losses_, total_) = found
    assert g_ == pytest.approx(g, abs=1e-5)
    assert pair_losses_ == pair_losses
    assert total_ == pytest.approx(total, rel=1e-5)


def test_the_weights_of_the_pairs_are_those_of_the_whole_batch(device: torch.device) -> None:
    # two pieces of one pair: (0 - 2)^2 weighs 3 and (0 - 1)^2 weighs 1, over weights of 4
    pairs = Interactions.build(users=[0, 1], items=[2, 1], n_users=2, n_items=3, weights=[3.0, 1.0])
    method = Cramped(pairs, device, room=1)
    with torch.no_grad():
        method.x.zero_()
    loss, rows = gradient(method, adam(method), whole(pairs, device), 0, rows=2)
    assert (rows, loss.parts["rec"].item()) == (1, (3 * 4 + 1 * 1) / 4)
    assert method.x.grad is not None
    assert method.x.grad.tolist() == [3 * 2 * (0 - 2) / 4, 1 * 2 * (0 - 1) / 4]


def test_the_softmax_of_a_backbone_keeps_its_gradient_in_pieces(device: torch.device) -> None:
    # all items are shared negatives, so that a piece draws what the batch draws
    pairs = random_graph(2)
    gradients = []
    for rows in (99, 4):
        config = Config(d=3, start="normal", n_shared=9)
        method = BPR(config, BACKBONES["lightgcn"], pairs, seeds=Seeds(1), device=device)
        gradient(method, adam(method), whole(pairs, device), 0, rows=rows)
        assert method.backbone.X.grad is not None
        gradients.append(method.backbone.X.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_the_halved_size_stays_is_told_and_trains_to_the_same_numbers(
    device: torch.device,
) -> None:
    pairs = random_graph(1)
    roomy, cramped = Cramped(pairs, device, room=99), Cramped(pairs, device, room=5)
    first, second = run(roomy), run(cramped)
    assert [epoch.rows for epoch in first.epochs] == [None] * 3
    assert [epoch.rows for epoch in second.epochs] == [4] * 3
    assert cramped.tried[:3] == [16, 8, 4]
    assert max(cramped.tried[3:]) == 4
    torch.testing.assert_close(second.embeddings.users, first.embeddings.users, atol=1e-4, rtol=0)


def test_the_halved_size_is_remembered_on_disk(tmp_path: Path, device: torch.device) -> None:
    pairs = random_graph(1)
    unbroken = run(Cramped(pairs, device, room=5), tmp_path / "unbroken", epochs=4)
    run(Cramped(pairs, device, room=5), tmp_path / "broken", epochs=2)
    resumed = Cramped(pairs, device, room=5)
    ended = run(resumed, tmp_path / "broken", epochs=4)
    assert max(resumed.tried) == 4
    assert ended.scores.tobytes() == unbroken.scores.tobytes()
    assert [e.rows for e in ended.epochs] == [4] * 4


def test_a_pair_that_does_not_fit_alone_ends_the_training(device: torch.device) -> None:
    method = Cramped(random_graph(1), device, room=0)
    with pytest.raises(torch.OutOfMemoryError):
        run(method)
    assert method.tried == [16, 8, 4, 2, 1]
