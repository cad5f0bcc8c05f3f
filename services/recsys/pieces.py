"""The gradient of a batch, in pieces where the device has no room for the whole."""

import torch
from torch import Tensor

from services.recsys.data import Batch
from services.recsys.objective import Loss, Method


def gradient(
    method: Method, optimizer: torch.optim.Optimizer, batch: Batch, epoch: int, *, rows: int
) -> tuple[Loss, int]:
    """Leave the batch's gradient in the parameters; return its loss and how many rows fitted.

    At most `rows` pairs go through the method at a time; where they do not fit, half as many are
    tried, down to one. A piece counts by its share of the batch's weight, so that the gradients
    of L_rec and, for equal weights, of the L2 term are those of the whole batch. What a method
    draws or contrasts within a batch it draws and contrasts within the piece; draws of an attempt
    that failed are spent. torch.OutOfMemoryError where a single pair does not fit.
    """
    while True:
        optimizer.zero_grad()
        try:
            return _accumulated(method, batch, epoch, rows), rows
        except torch.OutOfMemoryError:
            rows = min(rows, len(batch.users)) // 2
            if rows == 0:
                raise
        if method.device.type == "cuda":
            torch.cuda.empty_cache()  # the halves need other blocks than the whole did


def _accumulated(method: Method, batch: Batch, epoch: int, rows: int) -> Loss:
    if len(batch.users) <= rows:
        loss = method.loss(batch, epoch)
        loss.total().backward()  # type: ignore[no-untyped-call] # torch's own
        return loss
    parts: dict[str, Tensor] = {}
    pairs = []
    for piece in _cut(batch, rows):
        loss = method.loss(piece, epoch)
        share = piece.weights.sum() / batch.weights.sum()
        (loss.total() * share).backward()  # type: ignore[no-untyped-call] # torch's own
        pairs.append(loss.pairs)
        for name, part in loss.parts.items():
            parts[name] = parts.get(name, torch.zeros_like(part)) + share * part.detach()
    return Loss(parts, torch.cat(pairs))


def _cut(batch: Batch, rows: int) -> list[Batch]:
    columns = [torch.split(c, rows) for c in (batch.users, batch.items, batch.weights)]
    return [Batch(*piece) for piece in zip(*columns, strict=True)]
