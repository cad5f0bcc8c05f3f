"""Plain models on a published split: what a denoiser must be read beside."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.recsys.closed_forms import ClosedForm, Ease, GfCf, ItemKnn, Popularity
from services.recsys.data import Interactions, Split
from services.recsys.evaluate import Protocol, evaluate, protocols
from services.trainer.bench import ials

Row = dict[str, float | str]
CHOSEN_BY = "recall@20"
KS = (10, 20)
VALIDATED = 2_000
"""Users whose validation items choose the settings."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One model with one setting, and how to make it."""

    setting: str
    make: Callable[[], ClosedForm]


def grids(*, seed: int) -> dict[str, list[Trial]]:
    """Return each peer's settings; the first is the one measured beforehand on books.

    iALS is there only where `implicit` is installed.
    """
    peers = {
        "popularity": [Trial(setting="", make=Popularity)],
        "ItemKNN": [_knn(50), _knn(200)],
        "GF-CF": [_gfcf(64, 0.3), _gfcf(64, 1.0)],
        "EASE": [_ease(lam) for lam in (50.0, 200.0, 500.0)],
    }
    if ials.installed():
        tried = ((256, 30.0, 40.0), (64, 10.0, 10.0))
        peers["iALS"] = [_ials(f, reg, alpha, seed=seed) for f, reg, alpha in tried]
    return peers


def choose(split: Split, trials: Sequence[Trial]) -> Trial:
    """Return the setting of the best validation Recall@20, the first on a tie."""
    return trials[0] if len(trials) == 1 else best(split, trials)[0]


def best(split: Split, trials: Sequence[Trial]) -> tuple[Trial, float]:
    """Return `choose`'s setting with its validation Recall@20."""
    values = [_validation(split, trial) for trial in trials]
    return trials[values.index(max(values))], max(values)


def fitted(trial: Trial, train: Interactions) -> tuple[ClosedForm, float]:
    """Return the model fitted to `train`, and the CPU seconds it took."""
    began = time.process_time()
    model = trial.make().fit(train)
    return model, round(time.process_time() - began, 3)


def rows(split: Split, chosen: dict[str, Trial]) -> dict[str, list[Row]]:
    """Return test figures by protocol; the settings are those that validation chose."""
    return {
        protocol.name: [_row(name, trial, protocol) for name, trial in chosen.items()]
        for protocol in protocols(split)
    }


def _row(name: str, trial: Trial, protocol: Protocol) -> Row:
    tell(f"{protocol.name}: {name} {trial.setting}")
    began = time.perf_counter()
    model = trial.make().fit(protocol.fit)
    seconds = time.perf_counter() - began
    judged = evaluate(model.score_block, protocol.target, mask=protocol.mask, ks=KS)
    return {
        "name": name,
        "setting": trial.setting,
        **judged.means(),
        "fit_seconds": round(seconds, 3),
    }


def _validation(split: Split, trial: Trial) -> float:
    model = trial.make().fit(split.train)
    judged = evaluate(model.score_block, _sample(split.val), mask=split.train, ks=(20,))
    value = judged.means()[CHOSEN_BY]
    tell(f"validation: {type(model).__name__} {trial.setting}: {CHOSEN_BY} {value:.4f}")
    return value


def _sample(val: Interactions) -> Interactions:
    """Return the items of every n-th user, VALIDATED at most: settings differ by more than that."""
    users = np.unique(val.users)
    step = -(-len(users) // VALIDATED)
    return val.where(np.isin(val.users, users[::step]))


def tell(words: str) -> None:
    """Say on stderr how far the bench is."""
    print(words.rstrip(), file=sys.stderr, flush=True)


def _knn(k: int) -> Trial:
    return Trial(setting=f"k {k}, shrink 20", make=lambda: ItemKnn(k=k, shrink=20.0))


def _gfcf(k: int, w: float) -> Trial:
    return Trial(setting=f"k {k}, w {w}", make=lambda: GfCf(k=k, w=w))


def _ease(lam: float) -> Trial:
    return Trial(setting=f"lam {lam:g}", make=lambda: Ease(lam=lam))


def _ials(factors: int, reg: float, alpha: float, *, seed: int) -> Trial:
    return Trial(
        setting=f"f {factors}, reg {reg:g}, alpha {alpha:g}",
        make=lambda: ials.IAls(factors=factors, reg=reg, alpha=alpha, seed=seed),
    )
