"""A training run on disk: one safetensors file, replaced whole after every epoch.

Tensors are the method's, Adam's and the best vectors; the header carries JSON: epochs, best,
and every generator's state. Histories, which only grow, are a file per epoch beside it.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from services.recsys.data import Embeddings
from services.recsys.objective import Method
from services.recsys.seeds import Seeds

VERSION = 1
NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Epoch:
    """One pass over the pairs: mean loss terms, what validation said, wall seconds."""

    number: int  # from 0
    parts: dict[str, float]
    value: float | None  # None without validation
    graph: str  # whose vectors had that value
    improved: bool
    seconds: float
    rows: int | None = None  # most pairs at a time, where memory did not hold a whole batch


@dataclass(frozen=True, eq=False)
class Best:
    """The vectors that validation liked most so far, on the CPU."""

    epoch: int
    graph: str
    value: float | None
    embeddings: Embeddings


@dataclass(eq=False)
class Memory:
    """What a run remembers from epoch to epoch beside parameters and generators."""

    plan: dict[str, Any]  # JSON; what must be equal for a resume to make sense
    epochs: list[Epoch] = field(default_factory=list)
    best: Best | None = None
    scores: list[Tensor] = field(default_factory=list)  # each (E,) float16
    losses: list[Tensor] = field(default_factory=list)  # each (E,) float16
    rows: int | None = None  # most pairs that memory held at a time; None while batches fit


def save(folder: Path, memory: Memory, method: Method, optimizer: Optimizer, seeds: Seeds) -> None:
    """Write the last epoch's history, then the checkpoint that counts it.

    A crash at any instant leaves the checkpoint before. Disk errors pass through.
    """
    if memory.best is None:
        raise ValueError("nothing to save before the first epoch")
    folder.mkdir(parents=True, exist_ok=True)
    history = {"scores": memory.scores[-1], "losses": memory.losses[-1]}
    _replace(folder / _history(len(memory.epochs) - 1), history, header={})
    best = memory.best
    header = {
        "version": VERSION,
        "plan": memory.plan,
        "epochs": [asdict(epoch) for epoch in memory.epochs],
        "best": {"epoch": best.epoch, "graph": best.graph, "value": best.value},
        "rows": memory.rows,
        "seeds": seeds.state(),
    }
    tensors = {f"method/{name}": tensor for name, tensor in method.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam/{index}/{name}": tensor for name, tensor in state.items()}
    tensors |= {"best/users": best.embeddings.users, "best/items": best.embeddings.items}
    _replace(folder / NAME, tensors, header={"run": json.dumps(header)})


def load(folder: Path, memory: Memory, method: Method, optimizer: Optimizer, seeds: Seeds) -> None:
    """Put everything where the last checkpoint left it; without one, change nothing.

    A ValueError if it was written for another plan, another root seed or another version.
    """
    if not (folder / NAME).exists():
        return
    with safe_open(folder / NAME, framework="pt") as file:
        header = json.loads(file.metadata()["run"])
    if header["version"] != VERSION or header["plan"] != memory.plan:
        raise ValueError(f"the checkpoint in {folder} belongs to another run: {header['plan']}")
    tensors = load_file(folder / NAME, device=str(method.device))
    seeds.restore(header["seeds"])
    method.load_state_dict(_under(tensors, "method/"))
    _load_adam(optimizer, _under(tensors, "adam/"))
    vectors = Embeddings(tensors["best/users"], tensors["best/items"]).to("cpu")
    memory.best = Best(**header["best"], embeddings=vectors)
    memory.epochs = [Epoch(**epoch) for epoch in header["epochs"]]
    memory.rows = header.get("rows")  # an older version's file knows none
    histories = [load_file(folder / _history(epoch.number)) for epoch in memory.epochs]
    memory.scores = [history["scores"] for history in histories]
    memory.losses = [history["losses"] for history in histories]


def _history(number: int) -> str:
    return f"history-{number:05d}.safetensors"


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _load_adam(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for path, tensor in tensors.items():
        index, name = path.split("/")
        state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _replace(path: Path, tensors: dict[str, Tensor], *, header: dict[str, str]) -> None:
    """Write beside, flush to disk, rename over: readers see the old file or the new one."""
    # a name of its own: a process that is about to be ended may still write in the folder
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    # a copy each: safetensors refuses tensors that share memory
    save_file(
        {
            name: t.detach().clone(memory_format=torch.contiguous_format)
            for name, t in tensors.items()
        },
        beside,
        metadata=header,
    )
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
