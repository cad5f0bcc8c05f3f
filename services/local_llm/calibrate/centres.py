"""Builds the reference centres: hand-written domains, and the mean of one shop's own texts."""

from collections.abc import Sequence

import numpy as np

from services.local_llm.calibrate.domains import DOMAINS, ITEM_FRAMES, USER_FRAMES, sentences
from services.local_llm.calibrate.gold import Shop, in_fit, sample
from services.local_llm.encoder import Encoder
from services.local_llm.scores import Centres, Matrix, centred

USERS, ITEMS = 400, 800  # texts behind the shop's own means


def derive_centres(encoder: Encoder, shop: Shop, shelves: Sequence[Sequence[str]]) -> Centres:
    """Return the centres; readers of the held-out half and their words stay out of them."""
    fitted = {key: text for key, text in shop.users.items() if in_fit(key)}
    user = _stack(encoder, USER_FRAMES, sample(fitted, USERS))
    item = _stack(encoder, ITEM_FRAMES, sample(shop.items, ITEMS))
    likeness = [_likeness(centred(encoder.encode(shelf), item)) for shelf in shelves]
    return Centres(user=user, item=item, shelf_likeness=float(np.mean(likeness)))


def _stack(encoder: Encoder, frames: tuple[str, ...], own: list[str]) -> Matrix:
    rows = encoder.encode(sentences(frames)).reshape(len(DOMAINS), len(frames), -1)
    stacked = np.vstack([rows.mean(axis=1), encoder.encode(own).mean(axis=0)[None]])
    return stacked.astype(np.float16).astype(np.float32)  # as they ship


def _likeness(shelf: Matrix) -> float:
    count = len(shelf)
    return float(((shelf @ shelf.T).sum() - count) / (count * (count - 1)))
