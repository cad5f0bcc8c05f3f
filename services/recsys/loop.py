"""The one training loop: Adam over shuffled pairs, stopped by validation only, resumable."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from services.recsys.checkpoint import Best, Epoch, Memory, load, save
from services.recsys.data import Batch, Embeddings, Interactions
from services.recsys.objective import Method
from services.recsys.pieces import gradient
from services.recsys.seeds import Seeds

Validate = Callable[[Embeddings], float]

_EDGES_AT_ONCE = 65_536
"""Edges whose vectors are gathered together."""


@dataclass(frozen=True, eq=False)
class Fit:
    """What training leaves; vectors on the CPU."""

    embeddings: Embeddings  # of the best epoch; of the last one without validation
    graph: str  # which of the method's served vectors they are
    best_epoch: int  # from 0
    best_value: float | None  # None without validation
    epochs: tuple[Epoch, ...]
    scores: npt.NDArray[np.float16]  # (epochs, E): y_ui of every train edge after each epoch
    losses: npt.NDArray[np.float16]  # (epochs, E): L_rec of it, NaN where it was not trained on
    finished: bool  # False where should_stop ended it


def fit(  # noqa: PLR0913 - the loop's dials, all by keyword
    method: Method,
    train: Interactions,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    seeds: Seeds,
    validate: Validate | None = None,
    patience: int | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpoint_dir: Path | None = None,
    resume: bool = True,
    should_stop: Callable[[], bool] = lambda: False,
) -> Fit:
    """Train until the epochs are over, or `patience` of them brought no better validation.

    `seeds` must be the ones the method was made with: checkpoints carry their states. With a
    checkpoint_dir every finished epoch is on disk and a new call goes on after the last one;
    on one machine with one thread it ends with the bytes of an unbroken run. `should_stop` is
    asked before every batch; the epoch under way is then given up. A batch for which the device
    has no room goes through in halves from then on (`pieces.gradient`), and its epoch says so.
    A ValueError if stopped before the first epoch ended, or if the checkpoint belongs to another
    plan.
    """
    optimizer = torch.optim.Adam(method.parameters(), lr=lr, fused=True)
    pairs = len(method.pairs)
    memory = Memory(plan={"batch_size": batch_size, "lr": lr, "pairs": pairs, "edges": len(train)})
    if checkpoint_dir is not None and resume:
        load(checkpoint_dir, memory, method, optimizer, seeds)
    while len(memory.epochs) < epochs and not _stale(memory, patience):
        began = time.perf_counter()
        batches = shuffled(method, batch_size, seeds.torch("batches"))
        trained = _train(method, batches, optimizer, memory, should_stop)
        if trained is None:
            break
        _close(memory, method, train, trained, validate, began)
        if checkpoint_dir is not None:
            save(checkpoint_dir, memory, method, optimizer, seeds)
        if on_epoch is not None:
            on_epoch(memory.epochs[-1])
    return _result(memory, finished=len(memory.epochs) >= epochs or _stale(memory, patience))


@dataclass(frozen=True, eq=False)
class _Trained:
    """One pass: mean terms, and every pair's loss in the order of the pairs."""

    parts: dict[str, float]
    losses: Tensor  # (P,) float32


def shuffled(method: Method, size: int, rng: torch.Generator) -> Iterator[tuple[Tensor, Batch]]:
    """The pairs in a fresh order, cut into batches, each with its pairs' positions."""
    order = torch.randperm(len(method.pairs), generator=rng)
    columns = [
        torch.from_numpy(column)
        for column in (method.pairs.users, method.pairs.items, method.pairs.values())
    ]
    # gathered batch by batch: a permuted copy of all pairs would be as large as they are
    for at in torch.split(order, size):
        yield (
            at.to(method.device),
            Batch(*(column.index_select(0, at).to(method.device) for column in columns)),
        )


def _train(
    method: Method,
    batches: Iterable[tuple[Tensor, Batch]],
    optimizer: torch.optim.Optimizer,
    memory: Memory,
    should_stop: Callable[[], bool],
) -> _Trained | None:
    """One pass over the batches; None if it was told to stop."""
    epoch = len(memory.epochs)
    losses = torch.full((len(method.pairs),), torch.nan, device=method.device)
    sums: dict[str, Tensor] = {}
    steps = 0
    for at, batch in batches:
        if should_stop():
            return None
        whole, method.step = len(batch.users), steps
        loss, fitted = gradient(method, optimizer, batch, epoch, rows=memory.rows or whole)
        memory.rows = fitted if fitted < whole else memory.rows
        optimizer.step()
        losses[at] = loss.pairs
        steps += 1
        for name, part in loss.parts.items():
            # summed on the device: reading a number here would wait for it every batch
            sums[name] = sums.get(name, torch.zeros_like(part)) + part.detach()
    return _Trained({name: float(s) / steps for name, s in sums.items()}, losses.cpu())


def _close(
    memory: Memory,
    method: Method,
    train: Interactions,
    trained: _Trained,
    validate: Validate | None,
    began: float,
) -> None:
    """Judge the epoch and remember it."""
    served = {graph: vectors.to("cpu") for graph, vectors in method.served().items()}
    graph, value = _choose(served, validate)
    number = len(memory.epochs)
    improved = _improves(value, memory.best)
    if improved:
        memory.best = Best(number, graph, value, _copy(served[graph]))
    memory.scores.append(_edge_scores(next(iter(served.values())), train))
    memory.losses.append(_edge_losses(method.pairs, trained.losses, train))
    seconds = time.perf_counter() - began
    epoch = Epoch(number, trained.parts, value, graph, improved, seconds, memory.rows)
    memory.epochs.append(epoch)


def _choose(served: dict[str, Embeddings], validate: Validate | None) -> tuple[str, float | None]:
    """The graph whose vectors validation prefers; the first on a tie or without validation."""
    if validate is None:
        return next(iter(served)), None
    values = {graph: validate(vectors) for graph, vectors in served.items()}
    graph = max(values, key=lambda name: values[name])
    return graph, values[graph]


def _improves(value: float | None, best: Best | None) -> bool:
    return best is None or value is None or best.value is None or value > best.value


def _stale(memory: Memory, patience: int | None) -> bool:
    if patience is None or memory.best is None:
        return False
    return len(memory.epochs) - 1 - memory.best.epoch >= patience


def _copy(vectors: Embeddings) -> Embeddings:
    """Vectors that the next step cannot change: an MF serves its parameters themselves."""
    return Embeddings(vectors.users.clone(), vectors.items.clone())


def _edge_scores(vectors: Embeddings, train: Interactions) -> Tensor:
    """y_ui of every train edge: (E,) float16, in blocks, since (E, d) may not fit."""
    scores = torch.empty(len(train), dtype=torch.float16)
    for start in range(0, len(train), _EDGES_AT_ONCE):
        some = slice(start, start + _EDGES_AT_ONCE)
        users, items = torch.from_numpy(train.users[some]), torch.from_numpy(train.items[some])
        scores[some] = vectors.pairs(users=users, items=items)
    return scores


def _edge_losses(pairs: Interactions, losses: Tensor, train: Interactions) -> Tensor:
    """Losses of the train edges among the pairs, NaN for the rest: (P,) -> (E,)."""
    at = torch.from_numpy(pairs.locate(users=train.users, items=train.items))
    return torch.where(at < 0, torch.nan, losses[at]).to(torch.float16)


def _result(memory: Memory, *, finished: bool) -> Fit:
    if memory.best is None:
        raise ValueError("stopped before the first epoch ended")
    return Fit(
        embeddings=memory.best.embeddings,
        graph=memory.best.graph,
        best_epoch=memory.best.epoch,
        best_value=memory.best.value,
        epochs=tuple(memory.epochs),
        scores=torch.stack(memory.scores).numpy(),
        losses=torch.stack(memory.losses).numpy(),
        finished=finished,
    )
