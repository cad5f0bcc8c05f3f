"""Popularity and EASE (Steck 2019, Eq. 8) with Recall@K, in plain numpy: the shop's yardsticks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from winnow.bookshop.shop import NOISE_KINDS, Shop

Matrix = NDArray[np.float64]


def matrices(shop: Shop) -> tuple[Matrix, Matrix, Matrix]:
    """Return (noisy train, clean train, test) as 0/1 matrices (readers, books)."""
    shape = (len(shop.readers), len(shop.books))
    noisy, clean, test = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for purchase in shop.purchases:
        where = (purchase.reader, purchase.book)
        test[where] = purchase.split == "test"
        noisy[where] = purchase.split == "train"
        clean[where] = purchase.split == "train" and purchase.kind not in NOISE_KINDS
    return noisy, clean, test


def ease(train: Matrix, *, ridge: float) -> Matrix:
    """Return EASE's scores (readers, books): B = I - P diag(P)⁻¹, P = (XᵀX + λI)⁻¹."""
    inverse = np.linalg.inv(train.T @ train + ridge * np.eye(train.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return np.asarray(train @ weights)


def popularity(train: Matrix) -> Matrix:
    """Return each book's train count, for every reader."""
    return np.tile(train.sum(axis=0), (train.shape[0], 1))


def recall(scores: Matrix, train: Matrix, test: Matrix, k: int = 20) -> float:
    """Return Recall@k = hits / |test|, train masked, mean over readers with a test book."""
    masked = np.where(train > 0, -np.inf, scores)
    top = np.argsort(-masked, axis=1, kind="stable")[:, :k]
    tested = test.sum(axis=1) > 0
    hits = np.take_along_axis(test, top, axis=1).sum(axis=1)[tested]
    return float((hits / test.sum(axis=1)[tested]).mean())
