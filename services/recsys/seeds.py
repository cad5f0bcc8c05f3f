"""One root seed, a generator for every name, and their states as JSON."""

import base64
import hashlib
from typing import Any

import numpy as np
import torch


class Seeds:
    """Named generators that do not disturb each other.

    A name's stream depends on the root and the name only, so adding a consumer of randomness
    changes nobody else's draws. Generators are made on first use and keep their state.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self._torch: dict[tuple[str, str], torch.Generator] = {}
        self._numpy: dict[str, np.random.Generator] = {}

    def integer(self, name: str) -> int:
        """A 63-bit seed from root and name: the same on every machine and Python."""
        digest = hashlib.sha256(f"{self.root}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def torch(self, name: str, *, device: torch.device | str = "cpu") -> torch.Generator:
        """The torch generator of that name on that device."""
        key = (name, str(device))
        if key not in self._torch:
            generator = torch.Generator(device=device)
            self._torch[key] = generator.manual_seed(self.integer(name))
        return self._torch[key]

    def numpy(self, name: str) -> np.random.Generator:
        """The numpy generator of that name."""
        if name not in self._numpy:
            self._numpy[name] = np.random.Generator(np.random.PCG64(self.integer(name)))
        return self._numpy[name]

    def state(self) -> dict[str, Any]:
        """Where every generator made so far stands, as JSON values."""
        return {
            "root": self.root,
            "torch": [
                [name, device, base64.b64encode(g.get_state().numpy().tobytes()).decode()]
                for (name, device), g in self._torch.items()
            ],
            "numpy": {name: g.bit_generator.state for name, g in self._numpy.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put every generator where `state` found it; a ValueError for another root."""
        if state["root"] != self.root:
            raise ValueError(f"state of root seed {state['root']}, not {self.root}")
        for name, device, encoded in state["torch"]:
            taken = np.frombuffer(base64.b64decode(encoded), dtype=np.uint8).copy()
            self.torch(name, device=device).set_state(torch.from_numpy(taken))
        for name, taken in state["numpy"].items():
            self.numpy(name).bit_generator.state = taken
