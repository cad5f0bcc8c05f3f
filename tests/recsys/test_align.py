"""Alignment: labels and loss against slow Python, and a planted structure that is learned."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from services.recsys.align import PRESETS, AlignConfig, Projector, align, contrast, reliable
from services.recsys.data import Embeddings, Interactions
from services.recsys.metrics import auc
from services.recsys.samplers.shared import Shared
from services.recsys.suspicion import pair_scores
from services.recsys.texts import centred
from services.recsys.topk import inner_product
from tests.spec import oracle_align as oracle

SMALL = AlignConfig(d=8, hidden=32, negatives=32, epochs=60, batch=128, lr=3e-3)


def generator(device: torch.device, seed: int = 0) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def planted(seed: int = 0) -> tuple[Embeddings, Interactions, Interactions]:
    """Four tastes; a text names its taste in one language for people, in another for items."""
    rng = np.random.default_rng(seed)
    tastes, n = 4, 60
    people, things = rng.normal(size=(tastes, 16)), rng.normal(size=(tastes, 16))
    user_taste, item_taste = rng.integers(tastes, size=n), rng.integers(tastes, size=n)
    users = people[user_taste] + rng.normal(scale=0.3, size=(n, 16)) + 5
    items = things[item_taste] + rng.normal(scale=0.3, size=(n, 16)) + 5
    likes = (user_taste[:, None] == item_taste) & (rng.random((n, n)) < 0.6)
    u, i = np.nonzero(likes)
    whole = Interactions.build(users=u, items=i, n_users=n, n_items=n)
    held = rng.random(len(whole)) < 0.3
    texts = Embeddings(torch.from_numpy(users).float(), torch.from_numpy(items).float())
    return texts, whole.where(~held), whole.where(held)


def held_out_auc(vectors: Embeddings, train: Interactions, held: Interactions) -> float:
    n = train.n_users
    users, items = np.divmod(np.arange(n * n), n)
    fresh = ~train.contains(users=users, items=items)
    users, items = users[fresh], items[fresh]
    scores = pair_scores(inner_product(vectors), users=users, items=items)
    return auc(scores, held.contains(users=users, items=items))


def test_reliable_positives_equal_the_slow_intersection_with_its_fallback(
    device: torch.device,
) -> None:
    rng = np.random.default_rng(3)
    texts = Embeddings(
        torch.from_numpy(rng.normal(size=(7, 3))), torch.from_numpy(rng.normal(size=(9, 3)))
    )
    u, i = np.nonzero(rng.random((7, 9)) < 0.3)
    train = Interactions.build(users=u, items=i, n_users=7, n_items=9)
    edges = set(zip(u.tolist(), i.tolist(), strict=True))
    for n in (1, 3, 9):
        found = reliable(texts.to(device), train, n=n, block=2)
        expected = oracle.reliable(texts.users.tolist(), texts.items.tolist(), edges, n=n)
        assert set(zip(found.users.tolist(), found.items.tolist(), strict=True)) == expected
    assert len(reliable(texts, train, n=1)) < len(edges)


def test_the_contrast_equals_the_loop_over_negatives_and_skips_the_users_own(
    device: torch.device,
) -> None:
    texts = planted()[0].to(device)
    projector = Projector(16, SMALL, rng=generator(device))
    u, i, j = (torch.tensor(rows, device=device) for rows in ([0, 5, 5], [1, 2, 3], [4, 3, 9, 30]))
    wrong = torch.zeros((3, 4), dtype=torch.bool, device=device)
    wrong[1, 0] = wrong[2, 1] = True
    with torch.no_grad():
        found = contrast(projector, texts, u=u, i=i, j=j, wrong=wrong, config=SMALL)
        z = [projector(rows).tolist() for rows in (texts.users[u], texts.items[i], texts.items[j])]
    expected = oracle.contrast(*z, wrong.tolist(), SMALL.tau)
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


def test_two_languages_for_one_taste_are_brought_together(device: torch.device) -> None:
    texts, train, held = planted()
    losses: list[float] = []
    aligned = align(
        texts,
        train,
        config=SMALL,
        rng=generator(device),
        on_epoch=lambda _, loss: losses.append(loss),
    )
    # a vector that knows the taste cannot be wrong about another taste: 3/4 of rivals, and the
    # unseen likes of the same taste are half of the rest
    assert held_out_auc(aligned.to("cpu"), train, held) > 0.93
    assert held_out_auc(texts, train, held) < 0.75
    assert len(losses) == 60
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("name", ["default", "paper"])
def test_who_has_no_text_is_like_nobody(name: str, device: torch.device) -> None:
    texts, train, _ = planted()
    texts.users[7], texts.items[3] = 0.0, 0.0
    aligned = align(texts, train, config=replace(PRESETS[name], epochs=1), rng=generator(device))
    for side, silent in ((aligned.users, 7), (aligned.items, 3)):
        lengths = side.norm(dim=1)
        assert lengths[silent] == 0
        assert (lengths > 0).sum() == 59


@pytest.mark.parametrize("name", ["default", "paper"])
def test_vectors_have_the_size_and_length_of_their_preset(name: str, device: torch.device) -> None:
    texts, train, _ = planted()
    config = replace(PRESETS[name], epochs=1)
    aligned = align(texts, train, config=config, rng=generator(device))
    assert aligned.users.shape == aligned.items.shape == (60, 64)
    unit = torch.allclose(aligned.items.norm(dim=1).cpu(), torch.ones(60), atol=1e-5)
    assert unit == (name == "default")
    assert not aligned.users.requires_grad


def test_the_papers_preset_is_equations_five_to_seven() -> None:
    paper = asdict(PRESETS["paper"])
    printed = {"layers": 2, "positives": "top_n", "top_n": 50, "similarity": "dot", "tau": 0.5}
    assert printed.items() <= paper.items()
    assert AlignConfig(**paper) == PRESETS["paper"]


def test_the_linear_variant_is_one_matrix_and_a_shift(device: torch.device) -> None:
    projector = Projector(16, replace(SMALL, layers=1), rng=generator(device))
    x, y = torch.randn(2, 16, generator=generator(device, 1), device=device)
    middle = projector((x + y) / 2)
    torch.testing.assert_close(middle, (projector(x) + projector(y)) / 2)
    assert sum(p.numel() for p in projector.parameters()) == 16 * 8 + 8


def test_the_same_seed_gives_the_same_vectors_and_another_seed_others(device: torch.device) -> None:
    texts, train, _ = planted()
    config = replace(SMALL, epochs=2)
    one, same, other = (
        align(texts, train, config=config, rng=generator(device, s)) for s in (1, 1, 2)
    )
    assert torch.equal(one.users, same.users)
    assert torch.equal(one.items, same.items)
    assert not torch.equal(one.users, other.users)


def test_each_step_is_adams_formula_on_fresh_gradients(device: torch.device) -> None:
    texts, train, _ = planted()
    config = replace(SMALL, epochs=3, batch=10_000)
    rng = generator(device, 4)
    projector, apart = Projector(16, config, rng=rng), centred(texts.to(device))
    shared = Shared(train, n=config.negatives, rng=rng)
    weights = list(projector.parameters())
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for step in range(1, 4):
        order = torch.randperm(len(train), generator=rng, device=device)
        u, i = (torch.from_numpy(side).to(device)[order] for side in (train.users, train.items))
        j, wrong = shared.draw(u)
        pairs = contrast(projector, apart, u=u, i=i, j=j, wrong=wrong, config=config)
        gradients = torch.autograd.grad(pairs.mean(), weights)
        for w, m, v, g in zip(weights, first, second, gradients, strict=True):
            m.mul_(0.9).add_(0.1 * g)  # Kingma and Ba 2015, Algorithm 1
            v.mul_(0.999).add_(0.001 * g * g)
            best = (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
            w.data.sub_(config.lr * best)
    by_hand = normalize(projector(apart.users), dim=1).detach()
    found = align(texts, train, config=config, rng=generator(device, 4))
    torch.testing.assert_close(found.users, by_hand, rtol=1e-4, atol=1e-5)
