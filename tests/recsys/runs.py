"""Small LLMHNI runs that are killed with SIGKILL and resumed until they end.

As a program (`python -m tests.recsys.runs FOLDER TRIALS`) it forks one process for each life, so
that torch is imported once, and prints a line of JSON for each trial. Even trials die at a counted
moment: before a batch, in the middle of a file, or around a rename. Odd ones die by the clock.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from services.recsys import checkpoint
from services.recsys.data import Embeddings, Signals
from services.recsys.loop import Fit, fit
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from tests.recsys.planted import circles, vectors

CONFIG = Config(d=8, epochs=5, B=64, n_shared=16, K=3, M=4)
DIGEST = "digest"
MOMENTS = 5 * (8 + 2 * 5)  # epochs of 8 batches and two files; 480 clean pairs by 64


class Fuse:
    """Counts moments and kills its process at one of them."""

    def __init__(self, at: int | None) -> None:
        self.left = at

    def tick(self, before: Callable[[], object] = lambda: None) -> bool:
        """Let a moment pass, or do `before` and die; never tell the loop to stop."""
        if self.left == 0:
            before()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.left is not None:
            self.left -= 1
        return False


def trained(folder: Path, backbone: str, fuse: Fuse) -> Fit:
    """Train, from the checkpoint in the folder if there is one."""
    world, seeds = circles(1), Seeds(9)
    texts = Embeddings(vectors(1, 60, 4).float(), vectors(2, 40, 4).float())
    signals = Signals(aligned=texts, refined=world.clean)
    method = LLMHNI(
        CONFIG,
        BACKBONES[backbone],
        world.train,
        signals,
        seeds=seeds,
        device=torch.device("cpu"),
    )
    return fit(
        method,
        world.train,
        epochs=CONFIG.epochs,
        batch_size=CONFIG.B,
        lr=CONFIG.lr,
        seeds=seeds,
        checkpoint_dir=folder,
        should_stop=fuse.tick,
    )


def digest(fitted: Fit) -> str:
    """Every byte that training leaves, but for the clock's."""
    z, parts = fitted.embeddings, [[e.parts, e.value, e.graph, e.improved] for e in fitted.epochs]
    arrays = (z.users.numpy(), z.items.numpy(), fitted.scores, fitted.losses)
    left = b"".join(array.tobytes() for array in arrays) + json.dumps(parts).encode()
    return hashlib.sha256(left).hexdigest()


def arm(fuse: Fuse) -> None:
    """Let every file that a checkpoint writes pass five moments, one of them in its middle."""
    whole, sync, rename = checkpoint.save_file, os.fsync, Path.replace

    def save_file(tensors: dict[str, torch.Tensor], path: Path, **more: Any) -> None:  # noqa: ANN401 - handed on
        def half() -> None:
            whole(tensors, path, **more)
            os.truncate(path, path.stat().st_size // 2)

        fuse.tick(before=half)
        whole(tensors, path, **more)
        fuse.tick()

    def fsync(file: int) -> None:
        sync(file)
        fuse.tick()

    def replace(self: Path, target: Path) -> Path:
        fuse.tick()
        return rename(self, target)

    checkpoint.save_file, os.fsync = save_file, fsync
    Path.replace = replace  # type: ignore[method-assign] # in this process, which dies


def life(folder: Path, backbone: str, *, fuse: int | None = None, clock: float = 60.0) -> bool:
    """Live once in a process of its own; whether it was killed before its end."""
    child = os.fork()
    if child == 0:
        burning = Fuse(fuse)
        arm(burning)
        folder.mkdir(parents=True, exist_ok=True)
        ended = digest(trained(folder, backbone, burning))
        (folder / DIGEST).write_text(ended, encoding="utf-8")
        os._exit(0)
    deadline = time.monotonic() + clock
    while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    killed = os.waitstatus_to_exitcode(status[1]) == -signal.SIGKILL
    assert killed or os.waitstatus_to_exitcode(status[1]) == 0
    return killed


def trial(folder: Path, number: int, backbone: str, length: float) -> dict[str, object]:
    """Die once, often twice, and end."""
    chance = random.Random(number)
    deaths = 0
    for _ in range(chance.choice([1, 2])):
        if number % 2:
            deaths += life(folder, backbone, clock=chance.uniform(0.1, 0.9) * length)
        else:
            deaths += life(folder, backbone, fuse=chance.randrange(MOMENTS))
    left = any(path.suffix == ".tmp" for path in folder.glob("*"))  # it died while writing
    assert not life(folder, backbone)
    ended = (folder / DIGEST).read_text(encoding="utf-8")
    return {"backbone": backbone, "deaths": deaths, "torn": left, "digest": ended}


def main(folder: Path, trials: int) -> None:
    """Two unbroken lives, then the trials, their backbones in turn."""
    import torch._dynamo  # noqa: PLC0415 - Adam would import it, slowly, in every life

    torch.set_num_threads(1)
    lengths = {}
    for backbone in ("lightgcn", "ngcf"):
        began = time.monotonic()
        assert not life(folder / backbone, backbone)
        lengths[backbone] = time.monotonic() - began
        unbroken = (folder / backbone / DIGEST).read_text(encoding="utf-8")
        print(json.dumps({"backbone": backbone, "unbroken": unbroken}))  # noqa: T201 - its answer
    for number in range(trials):
        backbone = ("lightgcn", "lightgcn", "ngcf", "ngcf")[number % 4]
        told = trial(folder / str(number), number, backbone, lengths[backbone])
        print(json.dumps(told))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
