"""LLMHNI: Eq. 11, 18-23 by hand, switches, and what a right LLM is worth."""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import torch

from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.data import Batch, Embeddings, Interactions, Signals
from services.recsys.loop import Fit, fit
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.objective import Loss
from services.recsys.ranking import RankingLoss
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from tests.recsys.planted import Circles, auc, circles, held_out_auc, triples, vectors
from tests.spec import slow_graph
from tests.spec import slow_losses as slow

# Items 0-3. Each user has one free item in E and in E' together, so every negative is forced.
G = Interactions.build(users=[0, 0, 0, 1, 1, 1], items=[0, 1, 2, 1, 2, 3], n_users=2, n_items=4)
REFINED = Interactions.build(
    users=[0, 0, 1, 1, 1], items=[1, 2, 1, 2, 3], n_users=2, n_items=4, weights=[1, 0.5, 1, 1, 0.25]
)
FREE = {0: 3, 1: 0}
TEXTS = Embeddings(vectors(1, 2, 3).float(), vectors(2, 4, 3).float())
BY_HAND = Config(
    d=4,
    start="normal",
    loss="bpr",
    rho=0.0,
    K=1,
    M=1,
    lambda_1=0.3,
    lambda_2=0.7,
    tau_de=0.5,
    tau_hal=0.4,
)

Rows = list[list[float]]


def batch_on(
    device: torch.device, *columns: list[float], of: tuple[list[int], list[int]] = ([0, 1], [1, 3])
) -> Batch:
    weights = columns[0] if columns else [1.0, 0.25]
    return Batch(*(torch.tensor(column, device=device) for column in (*of, weights)))


def made(
    config: Config,
    device: torch.device,
    signals: Signals | None = None,
    backbone: str = "lightgcn",
) -> LLMHNI:
    signals = signals or Signals(aligned=TEXTS, refined=REFINED)
    return LLMHNI(config, BACKBONES[backbone], G, signals, seeds=Seeds(1), device=device)


def pairs_of(graph: Interactions) -> list[tuple[int, int]]:
    return list(zip(graph.users.tolist(), graph.items.tolist(), strict=True))


def slow_z(method: LLMHNI, graph: Interactions) -> tuple[Rows, Rows]:
    """(users, items) of LightGCN on a graph, by slow Python."""
    matrix = slow_graph.normalised(triples(graph), n_users=2, n_items=4)
    z = slow_graph.layer_mean(matrix, method.backbone.X.tolist(), n_layers=2)
    return z[:2], z[2:]


def test_every_term_on_a_batch_equals_its_equation_done_by_hand(device: torch.device) -> None:
    method = made(BY_HAND, device)
    (u, i), (u_, i_) = slow_z(method, G), slow_z(method, REFINED)
    parts = method.loss(batch_on(device), 0).parts
    rec = [slow.bpr(slow.dot(u[n], i[p]), slow.dot(u[n], i[FREE[n]])) for n, p in [(0, 1), (1, 3)]]
    assert parts["rec"].item() == pytest.approx((rec[0] + 0.25 * rec[1]) / 1.25, abs=1e-6)
    # Eq. 18-19: z'_u against z_1, z_3; z'_i against z_0, z_1 of the users
    of_users = slow.infonce(u_, [i[1], i[3]], tau=0.5)
    of_items = slow.infonce([i_[1], i_[3]], u, tau=0.5)
    pairs = [a + b for a, b in zip(of_users, of_items, strict=True)]
    assert parts["de"].item() == pytest.approx(0.3 * (pairs[0] + 0.25 * pairs[1]) / 1.25, abs=1e-6)
    # Eq. 20-22 with rho = 0: the views are G and G' themselves
    users, items = slow.infonce(u, u_, tau=0.4), slow.infonce([i[1], i[3]], [i_[1], i_[3]], tau=0.4)
    assert parts["hal"].item() == pytest.approx(0.7 * (sum(users) / 2 + sum(items) / 2), abs=1e-6)


@pytest.mark.parametrize("loss", ["bpr", "sampled_softmax"])
def test_the_gradient_of_the_whole_objective_agrees_with_finite_differences(
    loss: RankingLoss, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = made(replace(BY_HAND, loss=loss, lambda_reg=0.1, tau=0.5), device).double()
    monkeypatch.setattr(method, "_precise", lambda entries: entries)  # the contrasts' float32
    for name, value in vars(method._graphs).items():
        if isinstance(value, torch.Tensor):
            setattr(method._graphs, name, value.double())
    batch = batch_on(device)
    batch = Batch(batch.users, batch.items, batch.weights.double())
    # the check shifts each number of X in place; every negative is forced, so nothing else moves
    X = method.backbone.X
    assert torch.autograd.gradcheck(lambda _: method.loss(batch, 0).total(), (X,), atol=1e-6)


def test_two_pairs_of_one_item_are_no_negatives_of_each_other(device: torch.device) -> None:
    method = made(BY_HAND, device)
    both = batch_on(device, [1.0, 1.0], of=([0, 1], [2, 2]))
    users, _ = slow_z(method, G)
    _, items_ = slow_z(method, REFINED)
    # the user side has no negative left and costs nothing; the item side has both users
    of_items = slow.infonce([items_[2], items_[2]], users, tau=0.5)
    expected = 0.3 * sum(of_items) / 2
    assert method.loss(both, 0).parts["de"].item() == pytest.approx(expected, abs=1e-6)


def test_the_contrast_compares_views_whose_adjacency_is_normalised_anew(
    device: torch.device,
) -> None:
    method = made(replace(BY_HAND, rho=0.5), device)
    # the union is E here: the same draws, edge by edge, G's first
    rng, z = Seeds(1).torch("views", device=device), []
    for graph in (G, REFINED):
        stays = torch.rand(len(G), generator=rng, device=device) >= 0.5
        kept = {pair for pair, stay in zip(pairs_of(G), stays.tolist(), strict=True) if stay}
        left = graph.where(np.array([pair in kept for pair in pairs_of(graph)]))
        assert 0 < len(left) < len(graph)
        z.append(slow_z(method, left))
    (u, i), (u_, i_) = z
    users, items = slow.infonce(u, u_, tau=0.4), slow.infonce([i[1], i[3]], [i_[1], i_[3]], tau=0.4)
    expected = 0.7 * (sum(users) / 2 + sum(items) / 2)
    assert method.loss(batch_on(device), 0).parts["hal"].item() == pytest.approx(expected, abs=1e-6)


def test_views_drop_edges_anew_for_every_batch(device: torch.device) -> None:
    world = circles(1)
    everyone = torch.arange(60, device=device)
    batch = Batch(everyone, everyone % 40, torch.ones_like(everyone).float())
    found = []
    for rho in (0.0, 0.2):
        method = LLMHNI(
            Config(d=4, rho=rho), LightGCN, world.train, Signals(), seeds=Seeds(1), device=device
        )
        found.append({method.loss(batch, 0).parts["hal"].item() for _ in range(3)})
    assert [len(values) for values in found] == [1, 3]


def test_the_softmax_adds_the_semantic_negative_to_the_shared_ones(device: torch.device) -> None:
    method = made(replace(BY_HAND, loss="sampled_softmax", tau=0.2), device)
    users, items = slow_z(method, G)
    expected = []
    for user, item in [(0, 1), (1, 3)]:
        free = slow.cosine(users[user], items[FREE[user]])
        own = slow.cosine(users[user], items[item])
        # the free item is met twice: once shared by the batch, once as the pair's own
        expected.append(slow.sampled_softmax(own, [free, free], tau=0.2))
    assert method.loss(batch_on(device), 0).pairs.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("switch", "gone"), [("de", {"de"}), ("hal", {"hal"}), ("semantic", set()), ("align", set())]
)
def test_an_ablation_takes_its_term_and_leaves_the_others(
    switch: str, gone: set[str], device: torch.device
) -> None:
    signals = Signals(aligned=TEXTS, texts=TEXTS, refined=REFINED)
    whole = made(BY_HAND, device, signals).loss(batch_on(device), 0).parts
    without = (
        made(replace(BY_HAND, **{switch: False}), device, signals).loss(batch_on(device), 0).parts
    )
    assert set(whole) - set(without) == gone
    for name, part in without.items():
        assert part.item() == pytest.approx(whole[name].item(), abs=1e-6)


def test_without_semantic_sampling_negatives_are_uniform(device: torch.device) -> None:
    assert made(replace(BY_HAND, semantic=False), device).hard is None
    assert made(BY_HAND, device).hard is not None


def test_without_alignment_the_sampler_compares_raw_texts(device: torch.device) -> None:
    lonely = Interactions.build(users=[0], items=[0], n_users=1, n_items=3)
    # aligned, item 1 is unlike the user; raw, item 2 is
    user = torch.tensor([[1.0, 0.0]])
    aligned = Embeddings(user, torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.1]]))
    texts = Embeddings(user, torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0]]))
    for align, expected in [(True, 1), (False, 2)]:
        method = LLMHNI(
            replace(BY_HAND, align=align, K=2, M=40),
            LightGCN,
            lonely,
            Signals(aligned=aligned, texts=texts),
            seeds=Seeds(1),
            device=device,
        )
        assert method.hard is not None
        users = torch.tensor([0], device=device)
        drawn = {int(method.hard.draw(users, method.served()["raw"])) for _ in range(20)}
        assert drawn == {expected}


def test_signals_of_another_shop_are_refused_before_anything_is_made(device: torch.device) -> None:
    more = Embeddings(vectors(1, 3, 3).float(), vectors(2, 4, 3).float())
    with pytest.raises(ValueError, match=r"texts\.users has 3 rows: one for each of the 2 users"):
        made(BY_HAND, device, Signals(texts=more))


def test_hard_pairs_are_no_negatives(device: torch.device) -> None:
    world, hard = circles(1), circles(2).clean
    aligned = Embeddings(vectors(1, 60, 3).float(), vectors(2, 40, 3).float())
    signals = Signals(aligned=aligned, hard=hard)
    config = Config(d=8, n_shared=16, K=3, M=4)
    method = LLMHNI(config, LightGCN, world.train, signals, seeds=Seeds(1), device=device)
    assert method.hard is not None
    users, z = torch.arange(60, device=device), method.served()["raw"]
    for _ in range(50):
        drawn = method.hard.draw(users, z)
        for taken in (world.train, hard):
            assert not taken.contains(users=users.cpu().numpy(), items=drawn.cpu().numpy()).any()


def test_no_refined_graph_and_one_equal_to_g_give_the_same_losses(device: torch.device) -> None:
    unweighted = made(BY_HAND, device, Signals()).loss(batch_on(device), 0).parts
    same = made(BY_HAND, device, Signals(refined=G)).loss(batch_on(device), 0).parts
    for name, part in same.items():
        assert part.item() == pytest.approx(unweighted[name].item(), abs=1e-6)


def test_pairs_come_from_g_as_printed_or_from_the_refined_graph(device: torch.device) -> None:
    assert made(replace(BY_HAND, positives="edges"), device).pairs is G
    assert made(replace(BY_HAND, positives="refined"), device).pairs is REFINED
    assert made(replace(BY_HAND, positives="refined"), device, Signals()).pairs is G


def test_both_graphs_are_served_g_first(device: torch.device) -> None:
    method = made(BY_HAND, device)
    served = method.served()
    assert list(served) == ["raw", "refined"]
    for name, graph in [("raw", G), ("refined", REFINED)]:
        users, items = slow_z(method, graph)
        np.testing.assert_allclose(served[name].users.cpu(), users, atol=1e-6)
        np.testing.assert_allclose(served[name].items.cpu(), items, atol=1e-6)
    assert list(made(BY_HAND, device, Signals()).served()) == ["raw"]


def test_mf_has_no_contrast_and_serves_one_graph(device: torch.device) -> None:
    method = made(BY_HAND, device, backbone="mf")
    assert set(method.loss(batch_on(device), 0).parts) == {"rec", "reg"}
    assert list(method.served()) == ["raw"]


def test_a_tenth_of_all_nodes_is_contrasted_on_demand(device: torch.device) -> None:
    world = circles(1)
    config = Config(d=8, contrast="sample")
    method = LLMHNI(config, LightGCN, world.train, Signals(), seeds=Seeds(1), device=device)
    users, items = method._contrasted(batch_on(device))
    assert (len(set(users.tolist())), len(set(items.tolist()))) == (6, 4)


def right(world: Circles) -> Signals:
    return Signals(refined=world.clean)


def trained(signals: Signals, device: torch.device, *, seed: int = 1, **changes: object) -> Fit:
    world, seeds = circles(1), Seeds(seed)
    small = {"d": 4, "epochs": 8, "B": 64, "n_shared": 16, "K": 3, "M": 4}
    config = Config(**(small | changes))  # type: ignore[arg-type]
    method = LLMHNI(config, LightGCN, world.train, signals, seeds=seeds, device=device)
    return fit(
        method, world.train, epochs=config.epochs, batch_size=config.B, lr=config.lr, seeds=seeds
    )


def test_a_right_llm_gives_the_planted_edges_the_smallest_scores(device: torch.device) -> None:
    world = circles(1)
    denoised, raw = (trained(signals, device).scores[-1] for signals in (right(world), Signals()))
    told = auc(high=denoised[~world.noise], low=denoised[world.noise])
    untold = auc(high=raw[~world.noise], low=raw[world.noise])
    assert told > 0.97
    assert told > untold + 0.05


def test_a_right_llm_lifts_the_unseen_items_of_a_users_own_circle(device: torch.device) -> None:
    world = circles(1)
    told, untold = (
        held_out_auc(trained(signals, device).embeddings, world)
        for signals in (right(world), Signals())
    )
    assert told > 0.92
    assert told > untold + 0.05


def test_edges_that_were_refined_away_have_no_loss(device: torch.device) -> None:
    world = circles(1)
    losses = trained(right(world), device, epochs=1).losses[0]
    np.testing.assert_array_equal(np.isnan(losses), world.noise)


def test_one_seed_gives_one_history_and_another_seed_another(device: torch.device) -> None:
    world = circles(1)
    first, again, other = (trained(right(world), device, seed=seed, epochs=2) for seed in (1, 1, 2))
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.losses.tobytes() == again.losses.tobytes()
    assert first.scores.tobytes() != other.scores.tobytes()


def test_a_config_goes_through_json_and_back() -> None:
    for config in (Config.default(), Config.paper()):
        assert Config(**json.loads(json.dumps(asdict(config)))) == config


def test_the_papers_preset_holds_the_printed_values() -> None:
    paper = Config.paper()
    assert (paper.d, paper.B, paper.lr, paper.M, paper.K) == (64, 1024, 1e-3, 30, 10)
    assert (paper.loss, paper.pool, paper.positives, paper.rho) == ("bpr", "relu", "edges", 0.2)


def test_contrasts_on_every_other_batch_weigh_twice_and_rest_between(device: torch.device) -> None:
    plain, rare = (made(replace(BY_HAND, every=every), device) for every in (1, 2))
    batch = batch_on(device)
    once, twice = plain.loss(batch, 0).parts, rare.loss(batch, 0).parts
    for name in ("de", "hal"):
        assert twice[name].item() == pytest.approx(2 * once[name].item(), rel=1e-5)
    for rare.step, due in ((1, False), (2, True), (3, False), (0, True)):
        assert ({"de", "hal"} <= set(rare.loss(batch, 0).parts)) == due


def test_contrasts_go_by_batches_not_by_pieces_and_begin_anew_after_a_stop(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, seeds = circles(1), Seeds(1)
    config = Config(d=4, n_shared=16, every=2, semantic=False, start="normal")
    method = LLMHNI(config, LightGCN, world.train, Signals(), seeds=seeds, device=device)
    whole, seen, room = method.loss, [], 40

    def cramped(batch: Batch, epoch: int) -> Loss:
        if len(batch.users) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        loss = whole(batch, epoch)
        seen.append((method.step, "de" in loss.parts))
        return loss

    monkeypatch.setattr(method, "loss", cramped)
    batches = -(-len(world.train) // 64)
    for stop_at in (3, 10**6):  # the first fit is stopped on an odd number of batches
        asked = iter(range(10**6))
        small = {"epochs": 1, "batch_size": 64, "lr": 1e-3, "seeds": seeds}
        stop = partial(lambda asked, at: next(asked) >= at, asked, stop_at)
        with suppress(ValueError):
            fit(method, world.train, **small, should_stop=stop)
    assert {step for step, _ in seen} == set(range(batches))
    assert len(seen) > batches + 3  # in pieces
    assert all(due == (step % 2 == 0) for step, due in seen)


def test_contrasts_propagated_in_bf16_are_nearly_the_same(device: torch.device) -> None:
    exact, near = (
        made(replace(BY_HAND, contrast_in=precision), device).loss(batch_on(device), 0).parts
        for precision in ("float32", "bfloat16")
    )
    for name in ("de", "hal"):
        assert near[name].item() == pytest.approx(exact[name].item(), rel=0.02)
        assert near[name].item() != exact[name].item()
    assert near["rec"].item() == exact["rec"].item()


@pytest.mark.parametrize("backbone", ["ngcf", "mf"])
def test_contrasts_in_bf16_are_lightgcns_alone(backbone: str, device: torch.device) -> None:
    with pytest.raises(ValueError, match="for LightGCN alone"):
        made(replace(BY_HAND, contrast_in="bfloat16"), device, backbone=backbone)
