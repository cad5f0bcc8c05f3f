"""The loop: every pair once an epoch, validation decides, what is on disk is gone on with."""

from pathlib import Path

import numpy as np
import pytest
import torch

from services.recsys.backbones.mf import MF
from services.recsys.backbones.ngcf import NGCF
from services.recsys.checkpoint import NAME, Epoch
from services.recsys.data import Batch, Embeddings, Interactions, Signals
from services.recsys.loop import Fit, fit
from services.recsys.methods.bpr import BPR
from services.recsys.methods.bpr import Config as Bpr
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.objective import Loss, Method
from services.recsys.samplers.semantic_hard import Pool
from services.recsys.seeds import Seeds
from tests.recsys.planted import circles, random_graph, vectors


class Counting(Method):
    """One number that grows by lr each step: its gradient is always -1, which Adam follows."""

    def __init__(self, pairs: Interactions, device: torch.device) -> None:
        super().__init__()
        self.pairs, self.device = pairs, device
        self.level = torch.nn.Parameter(torch.zeros((), device=device))
        self.batches: list[Batch] = []

    def loss(self, batch: Batch, epoch: int) -> Loss:
        self.batches.append(batch)
        # a pair's loss names it, so that the history can be checked
        return Loss({"level": -self.level, "epoch": 0 * self.level.detach() + epoch}, named(batch))

    def served(self) -> dict[str, Embeddings]:
        level = self.level.detach().clone()
        vectors = Embeddings(
            level.expand(self.pairs.n_users, 1),
            torch.ones(self.pairs.n_items, 1, device=self.device),
        )
        return {"raw": vectors, "refined": vectors}


def named(batch: Batch) -> torch.Tensor:
    return (100 * batch.users + batch.items).float()


def run(method: Method, train: Interactions, **dials: object) -> Fit:
    settings: dict[str, object] = {"epochs": 4, "batch_size": 8, "lr": 1.0, "seeds": Seeds(1)}
    return fit(method, train, **(settings | dials))  # type: ignore[arg-type]


def level_of(z: Embeddings) -> float:
    return float(z.users[0, 0])


def test_every_pair_comes_once_an_epoch_in_a_fresh_order(device: torch.device) -> None:
    train = random_graph(1, weighted=True)
    method = Counting(train, device)
    run(method, train, epochs=2)
    per_epoch = len(method.batches) // 2
    orders = []
    for start in (0, per_epoch):
        batches = method.batches[start : start + per_epoch]
        users, items, weights = (
            torch.cat([getattr(batch, name) for batch in batches]).tolist()
            for name in ("users", "items", "weights")
        )
        rows = list(zip(users, items, weights, strict=True))
        orders.append(rows)
        expected = zip(train.users, train.items, train.values(), strict=True)
        assert sorted(rows) == [tuple(map(float, row)) for row in expected]
    assert orders[0] != orders[1]


def test_validation_alone_chooses_the_epoch_and_patience_ends_the_run(device: torch.device) -> None:
    train = random_graph(1)
    # the level rises by one a batch: epochs end at 1b, 2b, ...; validation likes 2b most
    per_epoch = -(-len(train) // 8)
    fitted = run(
        Counting(train, device),
        train,
        epochs=50,
        patience=3,
        validate=lambda z: -abs(level_of(z) - 2 * per_epoch),
    )
    assert fitted.best_epoch == 1
    assert level_of(fitted.embeddings) == pytest.approx(2 * per_epoch, rel=1e-5)
    assert len(fitted.epochs) == 5
    assert [epoch.improved for epoch in fitted.epochs] == [True, True, False, False, False]
    assert fitted.finished


def test_a_best_value_of_zero_is_not_beaten_by_another_zero(device: torch.device) -> None:
    train = random_graph(1)
    fitted = run(Counting(train, device), train, validate=lambda _: 0.0)
    assert fitted.best_epoch == 0


def test_a_tie_between_graphs_goes_to_the_first_and_a_better_second_wins(
    device: torch.device,
) -> None:
    train = random_graph(1)
    assert run(Counting(train, device), train, validate=lambda _: 1.0).graph == "raw"
    values = iter([1.0, 2.0] * 4)
    assert run(Counting(train, device), train, validate=lambda _: next(values)).graph == "refined"


def test_without_validation_the_last_epoch_is_served(device: torch.device) -> None:
    train = random_graph(1)
    fitted = run(Counting(train, device), train)
    assert fitted.best_epoch == 3
    assert fitted.best_value is None


def test_histories_put_each_loss_at_its_edge_and_nothing_where_none_was_trained(
    device: torch.device,
) -> None:
    train, pairs = random_graph(1), random_graph(2)
    fitted = run(Counting(pairs, device), train, epochs=2)
    shared = pairs.contains(users=train.users, items=train.items)
    assert 0 < shared.sum() < len(train)
    expected = np.where(shared, 100 * train.users + train.items, np.nan)
    np.testing.assert_array_equal(fitted.losses, [expected, expected])
    per_epoch = -(-len(pairs) // 8)
    np.testing.assert_allclose(fitted.scores[:, 0], [per_epoch, 2 * per_epoch], rtol=1e-3)


def test_an_epoch_reports_the_means_of_its_terms(device: torch.device) -> None:
    train, told = random_graph(1), list[Epoch]()
    run(Counting(train, device), train, epochs=2, on_epoch=told.append)
    assert [epoch.number for epoch in told] == [0, 1]
    per_epoch = -(-len(train) // 8)
    # the level before each of b steps is 0, 1, ..., b - 1
    assert told[0].parts["level"] == pytest.approx(-(per_epoch - 1) / 2, rel=1e-5)
    assert told[1].parts["epoch"] == 1.0


def test_a_stop_gives_up_the_epoch_under_way_and_keeps_the_ones_before(
    device: torch.device,
) -> None:
    train = random_graph(1)
    per_epoch = -(-len(train) // 8)
    asked = iter(range(1000))
    fitted = run(
        Counting(train, device), train, should_stop=lambda: next(asked) == 2 * per_epoch + 1
    )
    assert len(fitted.epochs) == 2
    assert not fitted.finished


def test_a_stop_before_the_first_epoch_ended_leaves_nothing_to_serve(device: torch.device) -> None:
    train = random_graph(1)
    with pytest.raises(ValueError, match="first epoch"):
        run(Counting(train, device), train, should_stop=lambda: True)


def test_a_finished_run_is_read_back_without_training(tmp_path: Path, device: torch.device) -> None:
    train = random_graph(1)
    first = run(Counting(train, device), train, checkpoint_dir=tmp_path)
    idle = Counting(train, device)
    again = run(idle, train, checkpoint_dir=tmp_path)
    assert idle.batches == []
    assert again.epochs == first.epochs
    assert torch.equal(again.embeddings.users, first.embeddings.users)


def test_a_checkpoint_of_another_plan_or_seed_is_refused(
    tmp_path: Path, device: torch.device
) -> None:
    train = random_graph(1)
    run(Counting(train, device), train, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="another run"):
        run(Counting(train, device), train, checkpoint_dir=tmp_path, batch_size=4)
    with pytest.raises(ValueError, match="root seed"):
        run(Counting(train, device), train, checkpoint_dir=tmp_path, seeds=Seeds(2))


@pytest.mark.parametrize("pool", ["relu", "softmax"])
def test_a_run_cut_in_two_leaves_the_bytes_of_a_whole_one(
    tmp_path: Path, pool: Pool, device: torch.device
) -> None:
    world = circles(1)
    texts = Embeddings(vectors(1, 60, 3).float(), vectors(2, 40, 3).float())

    def trained(folder: str, epochs: int) -> Fit:
        seeds, config = Seeds(5), Config(d=4, n_shared=16, K=3, M=4, pool=pool)
        signals = Signals(aligned=texts, refined=world.clean)
        method = LLMHNI(config, NGCF, world.train, signals, seeds=seeds, device=device)
        return fit(
            method,
            world.train,
            epochs=epochs,
            batch_size=128,
            lr=0.01,
            seeds=seeds,
            checkpoint_dir=tmp_path / folder,
        )

    whole = trained("whole", 3)
    trained("cut", 1)
    again = trained("cut", 3)
    assert again.scores.tobytes() == whole.scores.tobytes()
    assert again.losses.tobytes() == whole.losses.tobytes()
    assert torch.equal(again.embeddings.items, whole.embeddings.items)


def test_the_best_vectors_stay_as_they_were_though_a_model_serves_its_parameters(
    device: torch.device,
) -> None:
    train, values, seen = random_graph(1), iter([1.0, 2.0, 0.0, 0.0]), list[torch.Tensor]()
    seeds = Seeds(1)
    method = BPR(Bpr(d=3, loss="bpr", start="normal"), MF, train, seeds=seeds, device=device)

    def validate(z: Embeddings) -> float:
        seen.append(z.users.clone())
        return next(values)

    fitted = run(method, train, validate=validate, seeds=seeds)
    assert fitted.best_epoch == 1
    assert torch.equal(fitted.embeddings.users, seen[1])
    assert not torch.equal(fitted.embeddings.users, seen[3])


def test_a_fresh_start_ignores_the_checkpoint(tmp_path: Path, device: torch.device) -> None:
    train = random_graph(1)
    run(Counting(train, device), train, checkpoint_dir=tmp_path, epochs=2)
    fresh = Counting(train, device)
    run(fresh, train, checkpoint_dir=tmp_path, epochs=1, resume=False)
    assert len(fresh.batches) == -(-len(train) // 8)


def test_a_half_written_checkpoint_is_never_read(tmp_path: Path, device: torch.device) -> None:
    train = random_graph(1)
    first = run(Counting(train, device), train, checkpoint_dir=tmp_path)
    (tmp_path / NAME).with_suffix(".tmp").write_bytes(b"half")
    assert run(Counting(train, device), train, checkpoint_dir=tmp_path).epochs == first.epochs
