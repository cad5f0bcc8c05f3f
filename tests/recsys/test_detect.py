"""Planted noise: that it is planted as told, and that detectors are measured by hand's count."""

import numpy as np
import pytest

from services.recsys.data import Interactions
from services.recsys.detect import KINDS, degree_only, detect, plant


def graph() -> Interactions:
    cells = np.random.default_rng(2).random((60, 40)) < np.linspace(0.02, 0.4, 40)
    users, items = np.nonzero(cells)
    return Interactions.build(users=users, items=items, n_users=60, n_items=40)


def test_figures_of_five_edges_with_two_fakes() -> None:
    fake = np.array([True, False, True, False, False])
    found = detect(np.array([0.9, 0.8, 0.3, 0.3, 0.1]), fake)
    # fakes beat 3 and 1.5 of 3 true edges; the two most suspicious hold one fake
    assert (found.auc, found.precision, found.recall) == (0.75, 0.5, 0.5)
    assert (found.flagged, found.planted) == (2, 2)
    flagged = np.array([True, False, True, True, True])
    told = detect(np.array([0.9, 0.8, 0.3, 0.3, 0.1]), fake, flagged=flagged)
    assert (told.precision, told.recall, told.flagged) == (0.5, 1.0, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_true_edge_stays_and_the_share_of_fakes_is_exact(kind: str) -> None:
    edges = graph()
    noisy, fake = plant(edges, share=0.2, kind=kind, rng=np.random.default_rng(0))
    assert fake.sum() == round(0.2 * len(edges))
    assert noisy.keys()[~fake].tolist() == edges.keys().tolist()
    again, _ = plant(edges, share=0.2, kind=kind, rng=np.random.default_rng(0))
    assert again.keys().tolist() == noisy.keys().tolist()


def test_popular_items_get_the_fakes_only_when_drawn_by_popularity() -> None:
    edges = graph()
    degrees = edges.item_degrees()

    def mean_degree(kind: str) -> float:
        noisy, fake = plant(edges, share=0.2, kind=kind, rng=np.random.default_rng(1))
        return float(degrees[noisy.items[fake]].mean())

    uniform, popular = degrees.mean(), (degrees**2).sum() / degrees.sum()
    # fakes never repeat an edge, which keeps them a little off the most popular items
    assert mean_degree("uniform") == pytest.approx(uniform, rel=0.15)
    assert mean_degree("popularity") == pytest.approx(popular, rel=0.15)
    assert popular > 1.3 * uniform


def test_fakes_matched_in_degree_have_the_ends_of_edges() -> None:
    edges = graph()
    noisy, fake = plant(edges, share=0.2, kind="degree", rng=np.random.default_rng(1))
    fakes = noisy.where(fake)
    assert (fakes.user_degrees() <= edges.user_degrees()).all()
    assert (fakes.item_degrees() <= edges.item_degrees()).all()
    for clean, ends, of_fakes in (
        (edges.user_degrees(), edges.users, fakes.users),
        (edges.item_degrees(), edges.items, fakes.items),
    ):
        assert clean[of_fakes].mean() == pytest.approx(clean[ends].mean(), rel=0.1)


def test_degree_alone_catches_uniform_fakes_by_their_unpopular_items() -> None:
    edges = Interactions.build(
        users=[0, 0, 1, 1, 1, 2], items=[0, 1, 0, 1, 2, 0], n_users=3, n_items=3
    )
    fake = edges.items == 2
    found = degree_only(edges, fake)
    assert found["item_degree"].auc == 1.0
    # user 1 has the largest degree, 3: its two true edges tie, the other three win
    assert found["user_degree"].auc == 0.2


def test_a_full_graph_has_no_room_for_fakes() -> None:
    full = Interactions.build(users=[0, 0], items=[0, 1], n_users=1, n_items=2)
    for kind in KINDS:
        with pytest.raises(ValueError, match="no room"):
            plant(full, share=0.5, kind=kind, rng=np.random.default_rng(0))
    # two stars and pairs that nobody has: every pair of their ends is an edge
    stars = Interactions.build(users=[0, 1, 2], items=[0, 0, 0], n_users=30, n_items=30)
    with pytest.raises(ValueError, match="of the same degrees"):
        plant(stars, share=0.4, kind="degree", rng=np.random.default_rng(0))


def test_the_most_suspicious_are_flagged_and_the_lower_position_on_a_tie() -> None:
    suspicion = np.array([0.2, 0.9, 0.9, 0.1])
    found = [detect(suspicion, np.arange(4) == fake).recall for fake in range(4)]
    assert found == [0.0, 1.0, 0.0, 0.0]
