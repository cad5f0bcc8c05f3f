"""Closed forms against slow Python, by folding in, and on the published books."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.linalg import LinAlgError
from scipy.sparse import csr_matrix

from services.recsys.closed_forms import ClosedForm, Ease, GfCf, ItemKnn, Popularity
from services.recsys.data import Interactions, Split
from services.recsys.evaluate import evaluate, protocols
from tests.spec import oracle_closed_forms as oracle

BOOKS = Path(__file__).parents[3] / "shared/data/rlmrec_amazon_books/interactions.parquet"


def small() -> tuple[Interactions, list[list[float]]]:
    # item 5 has nobody and user 6 has nothing
    cells = np.random.default_rng(5).random((7, 6)) < 0.5
    cells[:, 5], cells[6, :] = False, False
    users, items = np.nonzero(cells)
    graph = Interactions.build(users=users, items=items, n_users=7, n_items=6)
    return graph, cells.astype(float).tolist()


def scored(model: ClosedForm) -> np.ndarray:
    graph, _ = small()
    return model.fit(graph).score_block(np.arange(7))


def test_popularity_gives_everybody_the_column_sums() -> None:
    _, R = small()
    assert scored(Popularity()).tolist() == [[sum(c) for c in oracle.columns(R)]] * 7


@pytest.mark.parametrize(("k", "shrink"), [(1, 0.5), (3, 20.0), (50, 2.0)])
def test_item_knn_equals_the_loop_over_neighbours(k: int, shrink: float) -> None:
    _, R = small()
    found = scored(ItemKnn(k=k, shrink=shrink, block=4))
    np.testing.assert_allclose(found, oracle.item_knn(R, k=k, shrink=shrink), atol=1e-6)


def test_ease_equals_one_ridge_regression_per_item_without_itself() -> None:
    graph, R = small()
    model = Ease(lam=0.7).fit(graph)
    expected = [oracle.ridge_column(R, i, lam=0.7) for i in range(6)]
    np.testing.assert_allclose(model.B.T, expected, atol=2e-5)
    scores = [[oracle.dot(row, weights) for weights in expected] for row in R]
    np.testing.assert_allclose(model.score_block(np.arange(7)), scores, atol=5e-5)


def test_ease_without_a_ridge_is_refused_where_an_item_is_empty() -> None:
    with pytest.raises(LinAlgError, match="lam must be above 0"):
        Ease(lam=0.0).fit(small()[0])


def test_gf_cf_without_its_low_pass_is_the_linear_filter() -> None:
    _, R = small()
    np.testing.assert_allclose(scored(GfCf(k=2, w=0.0)), oracle.linear_filter(R), atol=1e-6)


def test_gf_cfs_low_pass_of_all_singular_vectors_gives_the_row_back() -> None:
    # V V' projects onto the row space of R~; R D_i^-1/2 lies in it, so the filter is the identity
    full = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=float)
    doubled = np.hstack([full, full])  # rank 3 of 4 x 6: k = 3 vectors span the row space
    users, items = np.nonzero(doubled)
    graph = Interactions.build(users=users, items=items, n_users=4, n_items=6)
    low_pass = [GfCf(k=3, w=w).fit(graph).score_block(np.arange(4)) for w in (1.0, 0.0)]
    np.testing.assert_allclose(low_pass[0] - low_pass[1], doubled, atol=1e-5)


@pytest.mark.parametrize("model", [Popularity(), ItemKnn(k=3), Ease(lam=1.0), GfCf(k=2)])
def test_a_newcomer_with_the_history_of_a_known_user_gets_that_users_scores(
    model: ClosedForm,
) -> None:
    graph, R = small()
    model.fit(graph)
    folded = model.score_rows(csr_matrix(np.array(R[2:3], dtype=np.float32)))
    np.testing.assert_allclose(folded, model.score_block(np.array([2])), atol=1e-6)
    again = type(model)(**{k: v for k, v in vars(model).items() if k in {"k", "lam"}}).fit(graph)
    np.testing.assert_array_equal(again.score_block(np.array([2])), folded)


# Figures of design notes measured by other code on the same published split.
@pytest.mark.data
@pytest.mark.skipif(not BOOKS.exists(), reason="the published books are not on this machine")
@pytest.mark.parametrize(
    ("model", "recall", "ndcg"), [(Popularity(), 0.0316, 0.0181), (GfCf(), 0.1682, 0.1099)]
)
def test_closed_forms_reach_the_figures_measured_elsewhere(
    model: ClosedForm, recall: float, ndcg: float
) -> None:
    table = pl.read_parquet(BOOKS)
    parts = {name[0]: rows for name, rows in table.group_by("split")}
    split = Split(
        **{
            name: Interactions.build(
                users=rows["user_id"], items=rows["item_id"], n_users=11_000, n_items=9_332
            )
            for name, rows in parts.items()
        }
    )
    first, _ = protocols(split)
    model.fit(first.fit)
    found = evaluate(model.score_block, first.target, mask=first.mask).means()
    assert found["recall@20"] == pytest.approx(recall, abs=3e-4)  # ties fall otherwise
    assert found["ndcg@20"] == pytest.approx(ndcg, abs=3e-4)
