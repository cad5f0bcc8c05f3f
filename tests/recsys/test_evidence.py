"""Evidence against really taking the pair out of the graph, and against a dense SVD."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recsys import evidence as room
from services.recsys.data import Interactions
from services.recsys.evidence import degrees, evidence, likeness, low_rank
from services.recsys.suspicion import support
from tests.recsys.planted import random_graph
from tests.spec import oracle_evidence as oracle

CELLS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=22, unique=True)
USERS, ITEMS = (side.ravel() for side in np.indices((5, 6)))  # every pair, edges and others
VECTORS = np.random.default_rng(5).normal(size=(6, 3)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_every_column_equals_that_of_a_graph_from_which_the_pair_was_taken(
    cells: list[tuple[int, int]],
) -> None:
    users, items = zip(*cells, strict=True) if cells else ((), ())
    graph = Interactions.build(users=users, items=items, n_users=5, n_items=6)
    pairs = list(zip(USERS.tolist(), ITEMS.tolist(), strict=True))
    found = support(graph, users=USERS, items=ITEMS, block=2)
    np.testing.assert_allclose(found, [oracle.support(cells, p) for p in pairs], atol=1e-8)
    both = degrees(graph, users=USERS, items=ITEMS)
    assert both.tolist() == [oracle.degrees(cells, pair) for pair in pairs]
    alike = likeness(graph, VECTORS, users=USERS, items=ITEMS)
    wanted = [oracle.likeness(cells, pair, VECTORS.tolist()) for pair in pairs]
    np.testing.assert_allclose(alike, wanted, atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(CELLS, st.lists(st.booleans(), min_size=6, max_size=6))
def test_where_texts_are_missing_nothing_is_like_anything(
    cells: list[tuple[int, int]], there: list[bool]
) -> None:
    users, items = zip(*cells, strict=True) if cells else ((), ())
    graph = Interactions.build(users=users, items=items, n_users=5, n_items=6)
    some = VECTORS * np.array(there, dtype=np.float32)[:, None]
    pairs = zip(USERS.tolist(), ITEMS.tolist(), strict=True)
    alike = likeness(graph, some, users=USERS, items=ITEMS)
    wanted = [oracle.likeness(cells, pair, some.tolist()) for pair in pairs]
    np.testing.assert_allclose(alike, wanted, atol=2e-5)


def test_low_rank_is_the_dense_svd_of_a_graph_without_the_pairs_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "RANK", 3)
    monkeypatch.setattr(room, "PAIRS", 4)
    graph = random_graph(3, n_users=8, n_items=10, edges=50)
    users, items = (side.ravel() for side in np.indices((8, 10)))
    found = low_rank(graph, users=users, items=items, rng=np.random.default_rng(2))
    again = np.random.default_rng(2)
    of_edges = again.integers(room.FOLDS, size=len(graph))
    of_others = again.integers(room.FOLDS, size=len(users))
    for row, (u, i) in enumerate(zip(users.tolist(), items.tolist(), strict=True)):
        at = int(graph.locate(users=np.array([u]), items=np.array([i]))[0])
        fold = of_others[row] if at < 0 else of_edges[at]
        N = graph.where(of_edges != fold).csr().toarray()
        assert N[u, i] == 0.0  # the pair is not there
        sides = np.maximum(N.sum(1), 1)[:, None] * np.maximum(N.sum(0), 1)[None]
        left, values, right = np.linalg.svd(N / np.sqrt(sides))
        us, v = left[u, :3] * values[:3], right[:3, i]
        vs = v * values[:3]
        lengths = np.linalg.norm(us) * np.linalg.norm(vs)
        cosine = us @ vs / lengths if lengths > 1e-6 else 0.0
        np.testing.assert_allclose(found[row], [us @ v, cosine], atol=1e-5)


def test_an_edge_has_one_fold_wherever_it_stands_among_the_pairs() -> None:
    graph = random_graph(4)
    ahead = low_rank(graph, users=graph.users, items=graph.items, rng=np.random.default_rng(0))
    order = np.arange(len(graph))[::-1]
    turned = low_rank(
        graph, users=graph.users[order], items=graph.items[order], rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(turned, ahead[order], atol=1e-6)


def test_a_pair_alone_in_the_graph_has_no_evidence() -> None:
    alone = Interactions.build(users=[1], items=[0], n_users=3, n_items=4)
    vectors = np.eye(4, dtype=np.float32)
    pair = {"users": np.array([1]), "items": np.array([0])}
    found = evidence(alone, **pair, vectors=vectors, rng=np.random.default_rng(0))
    assert found.tolist() == [[0.0] * 7]
    without = evidence(alone, **pair, vectors=None, rng=np.random.default_rng(0))
    assert without.tolist() == [[0.0] * 5]
