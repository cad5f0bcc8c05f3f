"""Sentence vectors as they arrive: made comparable by taking out what all of them share."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.recsys.data import Embeddings, Floats


def centred(texts: Embeddings) -> Embeddings:
    """Take each side's own mean out, as float32; a missing text (zeros) stays zeros.

    "This user enjoys ..." opens every profile and is most of its vector, but tells nobody apart.
    """
    return Embeddings(_centred(texts.users.float()), _centred(texts.items.float()))


def directions(side: Tensor) -> Floats:
    """Return one side's centred texts at length 1, a missing one as zeros: (n, d) float32."""
    found: Floats = normalize(_centred(side.float()), dim=1).numpy()
    return found


def known(side: Tensor) -> Tensor:
    """Which rows have a text: (n, d) -> (n, 1) bool."""
    return (side != 0).any(dim=1, keepdim=True)


def mean(side: Tensor) -> Tensor:
    """What `centred` takes out of a side: the mean of the texts that are there, (n, d) -> (d,)."""
    return side.float().sum(0) / torch.clamp(known(side).sum(), min=1)


def _centred(side: Tensor) -> Tensor:
    return (side - mean(side)) * known(side)
