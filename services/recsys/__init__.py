"""The recommender's science, a library of its own: no HTTP, no SQL, no queue (docs/library.md).

The names below are read from their modules when they are first asked for, so that a process that
needs one of them does not wait for all. `align`, `evaluate` and `refine` are modules whose
function of the same name is imported from there.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.recsys.candidates import choose_candidates
    from services.recsys.closed_forms import Ease, GfCf, ItemKnn, Popularity
    from services.recsys.data import Embeddings, Interactions, Signals, Split
    from services.recsys.evaluate import paired_bootstrap, protocols
    from services.recsys.loop import Fit, fit
    from services.recsys.registry import BACKBONES, METHODS
    from services.recsys.seeds import Seeds
    from services.recsys.suspicion import leave_one_out
    from services.recsys.topk import inner_product, top_k_lists
    from services.recsys.verdicts import RatedPairs

__all__ = [
    "BACKBONES",
    "METHODS",
    "Ease",
    "Embeddings",
    "Fit",
    "GfCf",
    "Interactions",
    "ItemKnn",
    "Popularity",
    "RatedPairs",
    "Seeds",
    "Signals",
    "Split",
    "choose_candidates",
    "fit",
    "inner_product",
    "leave_one_out",
    "paired_bootstrap",
    "protocols",
    "top_k_lists",
]

_WHERE = {
    "candidates": ("choose_candidates",),
    "closed_forms": ("Ease", "GfCf", "ItemKnn", "Popularity"),
    "data": ("Embeddings", "Interactions", "Signals", "Split"),
    "evaluate": ("paired_bootstrap", "protocols"),
    "loop": ("Fit", "fit"),
    "registry": ("BACKBONES", "METHODS"),
    "seeds": ("Seeds",),
    "suspicion": ("leave_one_out",),
    "topk": ("inner_product", "top_k_lists"),
    "verdicts": ("RatedPairs",),
}


def __getattr__(name: str) -> object:
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"services.recsys.{module}"), name)
    raise AttributeError(f"module 'services.recsys' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
