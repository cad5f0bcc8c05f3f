"""Blends add up as told, fold newcomers in, and their weights are found where they are planted."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from services.recsys.blend import Blend, Part, Scorer, Vectors, scaled
from services.recsys.closed_forms import CollectiveEase, GfCf, Ials, Side
from services.recsys.closed_forms.base import Floats, Ints
from services.recsys.data import Embeddings, Interactions
from services.recsys.evaluate import evaluate
from services.recsys.topk import top_k_lists
from services.recsys.weighing import search, shelf
from tests.recsys.planted import random_graph

GRAPH = random_graph(6, n_users=9, n_items=7, edges=30)
RNG = np.random.default_rng(12)
PEOPLE, FEATURES = (RNG.standard_normal((n, 3)).astype(np.float32) for n in (9, 7))
EVERYONE = np.arange(9)


@dataclass
class Told:
    """A scorer that says what it was told; nobody is new to it."""

    scores: Floats

    def score_block(self, users: Ints) -> Floats:
        return self.scores[users]

    def score_rows(self, rows: csr_matrix) -> Floats:
        raise NotImplementedError(rows)


def models() -> list[Scorer]:
    ease = CollectiveEase([Side(FEATURES, 0.3)], lam=1.0, users=PEOPLE, beta=2.0)
    return [ease.fit(GRAPH), GfCf(k=2).fit(GRAPH), Ials(f=3).fit(GRAPH)]


@pytest.mark.parametrize("scale", ["raw", "spread"])
def test_a_blend_is_the_weighted_sum_of_its_parts(scale: str) -> None:
    ease, gfcf, ials = models()
    parts = [Part("a", ease, 1.0), Part("b", gfcf, 0.5), Part("c", ials, 0.0)]
    busy = EVERYONE[GRAPH.user_degrees() > 0]
    blocks = [model.score_block(busy) for model in (ease, gfcf)]
    if scale == "spread":
        blocks = [block / block.std(axis=1, keepdims=True) for block in blocks]
    found = Blend(parts, "spread" if scale == "spread" else "raw").score_block(busy)
    np.testing.assert_allclose(found, blocks[0] + 0.5 * blocks[1], rtol=1e-5)


def test_a_part_without_weight_is_never_asked() -> None:
    silent = Told(np.zeros((1, 1), np.float32))  # would fail for user 8
    blend = Blend([Part("a", GfCf(k=2).fit(GRAPH)), Part("b", silent, 0.0)])
    assert blend.score_block(EVERYONE).shape == (9, 7)


@pytest.mark.parametrize("scale", ["raw", "spread"])
def test_a_newcomer_with_a_known_users_history_and_text_gets_that_users_scores(scale: str) -> None:
    parts = [Part(str(n), model, 0.5 + n) for n, model in enumerate(models())]
    blend = Blend(parts, "spread" if scale == "spread" else "raw")
    folded = blend.score_rows(GRAPH.csr()[2:5], PEOPLE[2:5])
    np.testing.assert_allclose(folded, blend.score_block(np.arange(2, 5)), rtol=1e-4, atol=1e-6)


def test_a_trained_models_newcomer_is_folded_in_by_the_ridge_map() -> None:
    z = Embeddings(*(torch.from_numpy(side) for side in (PEOPLE, FEATURES)))
    part = Vectors.of(z, GRAPH)
    np.testing.assert_allclose(part.score_block(EVERYONE), PEOPLE @ FEATURES.T, rtol=1e-5)
    assert part.score_rows(GRAPH.csr()[:2]).shape == (2, 7)


def test_a_row_of_one_value_is_no_opinion() -> None:
    block = np.array([[2.0, 2.0, 2.0], [0.0, 1.0, 2.0]], np.float32)
    assert not scaled(block, "spread")[0].any()
    assert scaled(block, "spread")[1].std() == pytest.approx(1)


def test_a_score_that_is_no_number_stays_none_on_any_scale_and_is_refused_by_the_list() -> None:
    block = np.array([[np.nan, 1.0, 2.0], [0.0, 1.0, 2.0]], np.float32)
    assert np.isnan(scaled(block, "spread")).tolist() == [[True] * 3, [False] * 3]
    seen = Interactions.build(users=[], items=[], n_users=2, n_items=3)
    blend = Blend([Part("a", Told(block)), Part("b", Told(np.ones_like(block)))], "spread")
    with pytest.raises(ValueError, match="a score is not a number"):
        top_k_lists(blend.score_block, np.arange(2), seen=seen, k=2)


def planted() -> tuple[list[Told], Interactions]:
    """Two halves of the truth, and noise; the targets are the top 10 of 1 : 2."""
    rng = np.random.default_rng(3)
    halves = rng.standard_normal((3, 300, 80)).astype(np.float32)
    best = np.argsort(-(halves[0] + 2 * halves[1]), axis=1)[:, :10]
    users = np.repeat(np.arange(300), 10)
    target = Interactions.build(users=users, items=best.ravel(), n_users=300, n_items=80)
    return [Told(half) for half in halves], target


def test_planted_weights_are_found_and_noise_is_left_out() -> None:
    told, target = planted()
    nothing = target.where(np.zeros(len(target), dtype=bool))
    shown = shelf(told, target, mask=nothing, scale="raw", users=np.arange(300), depth=30)
    weights = search(shown, [np.ones(3)])
    assert weights[0] / weights[1] == pytest.approx(0.5, abs=0.1)
    assert weights[2] < 0.05


def test_a_shelf_judges_as_the_full_ranking_does() -> None:
    told, target = planted()
    mask = random_graph(2, n_users=300, n_items=80, edges=900)
    mask = mask.where(~target.contains(users=mask.users, items=mask.items))
    shown = shelf(told, target, mask=mask, scale="raw", users=np.arange(300), depth=40)
    for weights in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.4, 1.0, 0.1]):
        blend = Blend(
            [Part(str(n), one, w) for n, (one, w) in enumerate(zip(told, weights, strict=True))]
        )
        judged = evaluate(blend.score_block, target, mask=mask, ks=(20,)).means()["recall@20"]
        assert shown.recall(weights) == pytest.approx(judged, abs=1e-9)


def test_nothing_that_was_seen_reaches_the_shelf() -> None:
    told, target = planted()
    shown = shelf(told, target, mask=target, scale="raw", users=np.arange(5), depth=20)
    assert not shown.wanted.any()
