"""The methods and backbones there are, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.recsys.backbones import Backbone
from services.recsys.backbones.lightgcn import LightGCN
from services.recsys.backbones.mf import MF
from services.recsys.backbones.ngcf import NGCF
from services.recsys.methods import bpr, llmhni
from services.recsys.objective import Method


@dataclass(frozen=True)
class Entry:
    """A method's Config and how it is made of one.

    `make(config, backbone, train, signals, *, seeds, device)`; every Config has `epochs`, `B`
    and `lr`, which are the loop's.
    """

    config: type[Any]
    make: Callable[..., Method]


METHODS: dict[str, Entry] = {
    "bpr": Entry(bpr.Config, bpr.BPR),
    "llmhni": Entry(llmhni.Config, llmhni.LLMHNI),
}

BACKBONES: dict[str, type[Backbone]] = {"lightgcn": LightGCN, "mf": MF, "ngcf": NGCF}
