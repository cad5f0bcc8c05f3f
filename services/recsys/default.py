"""preset="default": closed forms, iALS and LLMHNI in one blend; validation alone chooses.

One frozen `Preset` serves every dataset. What it chooses by itself, per dataset and by validation
Recall@20: among its few settings of each closed form, for each part between G and G', or solved on
G and read with the histories of another (`readings.py`), LLMHNI's epoch, and the weights of the
blend, zero among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import torch

from services.recsys import parts as made
from services.recsys.blend import Blend, Scale, Scorer
from services.recsys.data import Interactions, Split
from services.recsys.parts import EaseSetting, Evidence, GraphRecipe, IalsSetting, Setting
from services.recsys.ranges import COUNT, check
from services.recsys.readings import readings
from services.recsys.topk import inner_product
from services.recsys.weighing import Judge, weigh

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Preset:
    """Everything that is frozen; chosen on validation of `rlmrec_amazon_books` (docs/log.md).

    A part whose settings are empty is left out.
    """

    ease: tuple[EaseSetting, ...] = (
        EaseSetting(words=10, vectors=10, beta=1.5, lam=130, power=1.5),
        EaseSetting(words=10, vectors=10, beta=1.5, lam=400),
    )
    plain: tuple[str, ...] = (made.GFCF,)
    ials: tuple[IalsSetting, ...] = (
        IalsSetting(f=256, reg=30, alpha=39),
        IalsSetting(f=64, reg=10, alpha=10),
    )
    graph: GraphRecipe | None = field(default_factory=GraphRecipe)
    scales: tuple[Scale, ...] = ("spread",)
    judged: int = 4_000  # users whose validation items choose, evenly spaced

    def __post_init__(self) -> None:
        """Raise ValueError for nobody who judges, no scale, and a plain part that is none."""
        check(self, judged=COUNT)
        if not self.scales or not set(self.scales) <= set(get_args(Scale)):
            raise ValueError(f"scales must be some of {get_args(Scale)}, not {self.scales!r}")
        for name in set(self.plain) - set(made.PLAIN):
            raise ValueError(f"plain must be some of {made.PLAIN}, not {name!r}")


@dataclass(frozen=True)
class Choices:
    """What validation chose: enough to train again on other edges without looking."""

    ease: int  # which of the preset's settings
    ials: int
    sources: dict[str, str]  # part -> as `readings` names it; the graph LLMHNI serves
    epochs: int  # of LLMHNI, 0 without it
    weights: dict[str, float]  # part -> weight, 0 where it was left out
    scale: Scale
    settings: dict[str, str] = field(default_factory=dict)  # part -> its setting, as Python says it
    texts: tuple[str, ...] | None = None  # what evidence there was of texts; None: not noted


@dataclass(frozen=True, eq=False)
class Chosen:
    """A part as validation chose it."""

    model: Scorer
    source: str  # as in `Choices`
    value: float  # validation Recall@20
    setting: int = 0
    epochs: int = 0


@dataclass(frozen=True, eq=False)
class Default:
    """A fitted preset: `blend` is what ranks."""

    blend: Blend
    parts: dict[str, Chosen]
    choices: Choices
    value: float  # validation Recall@20 of the blend, over the judged users


def fit(
    split: Split,
    evidence: Evidence,
    *,
    preset: Preset | None = None,
    seed: int = 0,
    solved: Mapping[str, Chosen] | None = None,
    folder: Path | None = None,
    tell: Tell = lambda _: None,
    device: torch.device | None = None,
) -> Default:
    """Fit all parts on train and choose on val; test is never read.

    `solved` saves another seed the parts that have none. With a `folder` LLMHNI goes on after its
    last finished epoch. `tell` hears a sentence per part. LLMHNI trains on the `device`, the CPU
    unless told.

    Raises ValueError for evidence of other users or items than the split's, for `solved` without a
    part of the preset, and for a preset of which nothing can be made; and as `Judge` does.
    """
    preset = preset or Preset()
    evidence.check(split.train)
    judge = Judge(split, preset.judged)
    parts = dict(solve(split, evidence, preset=preset, tell=tell) if solved is None else solved)
    _check_parts(parts, preset, evidence)
    graphs = evidence.graphs(split.train)
    parts |= _best(made.IALS, preset.ials, graphs, evidence, judge, tell, seed=seed)
    if preset.graph is not None:
        parts[made.GRAPH] = _trained(
            split, evidence, preset.graph, judge, seed, folder, tell, device=device
        )
    blend, value = weigh({name: one.model for name, one in parts.items()}, judge, preset.scales)
    tell(f"blend ({blend.scale}): {value:.4f}, {told(blend)}")
    choices = Choices(
        ease=parts[made.EASE].setting if preset.ease else 0,
        ials=parts[made.IALS].setting if preset.ials else 0,
        sources={name: one.source for name, one in parts.items()},
        epochs=parts[made.GRAPH].epochs if preset.graph else 0,
        weights={part.name: part.weight for part in blend.parts},
        scale=blend.scale,
        settings={name: repr(one) for name, one in _settings(preset, parts).items()},
        texts=evidence.of_texts(),
    )
    return Default(blend, parts, choices, value)


def solve(
    split: Split, evidence: Evidence, *, preset: Preset | None = None, tell: Tell = lambda _: None
) -> dict[str, Chosen]:
    """Fit the parts that have no seed, each with the setting and graph validation prefers.

    Raises ValueError for evidence of other users or items than the split's, and as `Judge` does.
    """
    preset = preset or Preset()
    evidence.check(split.train)
    judge, graphs = Judge(split, preset.judged), evidence.graphs(split.train)
    found = _best(made.EASE, preset.ease, graphs, evidence, judge, tell)
    for name in preset.plain:
        if made.there(name, evidence):
            found |= _best(name, (None,), graphs, evidence, judge, tell)
    return found


def _settings(preset: Preset, parts: Mapping[str, Chosen]) -> dict[str, Setting]:
    """Return the chosen setting of every part that has any."""
    found: dict[str, Setting] = {}
    if made.EASE in parts:
        found[made.EASE] = preset.ease[parts[made.EASE].setting]
    if made.IALS in parts:
        found[made.IALS] = preset.ials[parts[made.IALS].setting]
    if made.GRAPH in parts:
        found[made.GRAPH] = preset.graph
    return found


def _check_parts(parts: Mapping[str, Chosen], preset: Preset, evidence: Evidence) -> None:
    """Raise ValueError for a part that should have been solved, and where there is none at all."""
    there = [name for name in preset.plain if made.there(name, evidence)]
    wanted = [*([made.EASE] if preset.ease else []), *there]
    absent = [name for name in wanted if name not in parts]
    if absent:
        raise ValueError(f"solved lacks {', '.join(absent)}: parts of the preset")
    if not (parts or preset.ials or preset.graph):
        raise ValueError("the preset has no part, or none whose texts are there: nothing to blend")


def told(blend: Blend) -> str:
    """Return the weights in words."""
    return ", ".join(f"{part.name} {part.weight:g}" for part in blend.parts)


def _best(
    name: str,
    settings: Sequence[Setting],
    graphs: Mapping[str, Interactions],
    evidence: Evidence,
    judge: Judge,
    tell: Tell,
    *,
    seed: int = 0,
) -> dict[str, Chosen]:
    """Return the part as validation prefers it, the first on a tie.

    Two solutions are held at most; readings share theirs.
    """
    best: Chosen | None = None
    for place, setting in enumerate(settings):
        for source, graph in graphs.items():
            solved = made.closed(name, setting, evidence, seed=seed).fit(graph)
            for read, model in readings(solved, source, graphs):
                value = judge(model.score_block)
                tell(f"{name} on the {read} graph, {setting or 'no setting'}: {value:.4f}")
                if best is None or value > best.value:
                    best = Chosen(model, read, value, setting=place)
            del solved, model  # not held beside the best while the next is fitted
    return {} if best is None else {name: best}


def _trained(
    split: Split,
    evidence: Evidence,
    recipe: GraphRecipe,
    judge: Judge,
    seed: int,
    folder: Path | None,
    tell: Tell,
    *,
    device: torch.device | None,
) -> Chosen:
    """Train LLMHNI, its epoch and the graph it serves chosen on validation."""
    trained = made.graph_model(
        split.train,
        evidence,
        recipe,
        seed=seed,
        validate=lambda z: judge(inner_product(z)),
        folder=folder,
        tell=tell,
        device=device,
    )
    value = judge(trained.model.score_block)
    return Chosen(trained.model, trained.source, value, epochs=trained.epochs)
