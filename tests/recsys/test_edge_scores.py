"""Each name of an edge's score means the function that it says."""

import numpy as np
import pytest
import torch

from services.recsys.data import Embeddings
from services.recsys.edge_scores import score_edges
from services.recsys.plausibility import plausibility
from services.recsys.suspicion import leave_one_out, rank_average, text_cosine
from services.recsys.texts import directions
from services.recsys.topk import inner_product
from tests.recsys.planted import random_graph, vectors

GRAPH = random_graph(6)
TEXTS = Embeddings(vectors(1, 7, 4).float(), vectors(2, 9, 4).float())
MODEL = Embeddings(vectors(3, 7, 2), vectors(4, 9, 2))


def score(how: str, texts: Embeddings | None) -> list[float]:
    rng = np.random.default_rng(5)
    return score_edges(how, GRAPH, inner_product(MODEL), texts=texts, rng=rng).tolist()


def test_plausibility_reads_the_items_texts_and_nobodys_profile() -> None:
    rng = np.random.default_rng(5)
    found = score("plausibility", TEXTS)
    assert found == plausibility(GRAPH, vectors=directions(TEXTS.items), rng=rng).tolist()
    assert found == score("plausibility", Embeddings(torch.zeros(7, 4), TEXTS.items))
    rng = np.random.default_rng(5)
    assert score("plausibility", None) == plausibility(GRAPH, vectors=None, rng=rng).tolist()


def test_leave_one_out_goes_by_ranks_with_the_texts_cosine() -> None:
    alone = leave_one_out(GRAPH)
    cosine = text_cosine(TEXTS, users=GRAPH.users, items=GRAPH.items)
    assert score("leave_one_out", TEXTS) == rank_average(alone, cosine).tolist()
    assert score("leave_one_out", None) == rank_average(alone).tolist()


def test_in_sample_is_the_models_word_on_its_own_edges() -> None:
    users, items = torch.from_numpy(GRAPH.users), torch.from_numpy(GRAPH.items)
    wanted = MODEL.pairs(users=users, items=items).tolist()
    assert score("in_sample", TEXTS) == pytest.approx(wanted)
