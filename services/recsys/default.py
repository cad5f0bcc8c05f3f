"""preset="default": closed forms, iALS and LLMHNI in one blend; validation alone chooses.

One frozen `Preset` serves every dataset. What it chooses by itself, per dataset and by validation
Recall@20: among its few settings of each closed form, between G and G' for each part, LLMHNI's
epoch, and the weights of the blend, zero among them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.recsys import parts as made
from services.recsys.blend import Blend, Part, Scale, Scorer
from services.recsys.data import Interactions, Split
from services.recsys.parts import EaseSetting, Evidence, GraphRecipe, IalsSetting, Setting, Trial
from services.recsys.topk import inner_product
from services.recsys.weighing import Judge, weigh

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Preset:
    """Everything that is frozen; chosen on validation of `rlmrec_amazon_books` (docs/log.md)."""

    ease: tuple[EaseSetting, ...] = (
        EaseSetting(words=10, vectors=10, beta=3, lam=130),
        EaseSetting(words=10, vectors=10, beta=3, lam=400),
    )
    ials: tuple[IalsSetting, ...] = (
        IalsSetting(f=256, reg=30, alpha=39),
        IalsSetting(f=64, reg=10, alpha=10),
    )
    graph: GraphRecipe | None = field(default_factory=GraphRecipe)  # None: without LLMHNI
    scales: tuple[Scale, ...] = ("raw", "spread")
    judged: int = 4_000  # users whose validation items choose, evenly spaced


@dataclass(frozen=True)
class Choices:
    """What validation chose: enough to train again on other edges without looking."""

    settings: dict[str, Setting]  # part -> its setting, None where it has none
    sources: dict[str, str]  # part -> the graph it was fitted on or, LLMHNI, serves
    epochs: int  # of LLMHNI, 0 without it
    weights: dict[str, float]  # part -> weight, 0 where it was left out
    scale: Scale


@dataclass(frozen=True, eq=False)
class Chosen:
    """A part as validation chose it."""

    trial: Trial
    model: Scorer
    value: float  # validation Recall@20


@dataclass(frozen=True, eq=False)
class Default:
    """A fitted preset: `blend` is what ranks."""

    blend: Blend
    parts: dict[str, Scorer]
    choices: Choices
    values: dict[str, float]  # part, or "blend" -> validation Recall@20 of the judged users


def fit(
    split: Split,
    evidence: Evidence,
    *,
    preset: Preset | None = None,
    seed: int = 0,
    solved: Mapping[str, Chosen] | None = None,
    folder: Path | None = None,
    tell: Tell = lambda _: None,
) -> Default:
    """Fit all parts on train and choose on val; test is never read.

    `solved` saves another seed the parts that have none. With a `folder` LLMHNI goes on after its
    last finished epoch. `tell` hears a sentence per part.
    """
    preset = preset or Preset()
    judge, found = Judge(split, preset.judged), dict(solved or {})
    if not found:
        found = solve(split, evidence, preset=preset, tell=tell)
    graphs = made.graphs(split.train, evidence)
    tried = (
        made.trial(made.IALS, setting, graph, source, evidence, seed=seed)
        for setting in preset.ials
        for source, graph in graphs.items()
    )
    found |= _best(tried, judge, tell)
    epochs = 0
    if preset.graph is not None:
        trained = made.graph_model(
            split.train,
            evidence,
            preset.graph,
            seed=seed,
            validate=lambda z: judge(inner_product(z)),
            folder=folder,
            tell=tell,
        )
        epochs, trial = (
            trained.epochs,
            Trial(made.GRAPH, preset.graph, trained.source, lambda: trained.model),
        )
        found[made.GRAPH] = Chosen(trial, trained.model, judge(trained.model.score_block))
    parts = {name: one.model for name, one in found.items()}
    blend, value = weigh(parts, judge, scales=preset.scales)
    tell(f"blend ({blend.scale}): {value:.4f}, {told(blend)}")
    choices = Choices(
        settings={name: one.trial.setting for name, one in found.items()},
        sources={name: one.trial.source for name, one in found.items()},
        epochs=epochs,
        weights={part.name: part.weight for part in blend.parts},
        scale=blend.scale,
    )
    values = {name: one.value for name, one in found.items()} | {"blend": value}
    return Default(blend, parts, choices, values)


def solve(
    split: Split, evidence: Evidence, *, preset: Preset | None = None, tell: Tell = lambda _: None
) -> dict[str, Chosen]:
    """Fit the parts that have no seed, each with the setting and graph validation prefers."""
    preset = preset or Preset()
    judge, graphs = Judge(split, preset.judged), made.graphs(split.train, evidence)
    eases = (
        made.trial(made.EASE, setting, graph, source, evidence)
        for setting in preset.ease
        for source, graph in graphs.items()
    )
    others = (
        made.trial(name, None, graph, source, evidence)
        for name in made.plain(evidence)
        for source, graph in graphs.items()
    )
    return _best(eases, judge, tell) | _best(others, judge, tell)


def refit(
    train: Interactions,
    evidence: Evidence,
    choices: Choices,
    *,
    seed: int = 0,
    folder: Path | None = None,
    tell: Tell = lambda _: None,
) -> Blend:
    """Train what was chosen on other edges, such as train and val together; nothing is judged."""
    graphs, parts = made.graphs(train, evidence), []
    for name, weight in choices.weights.items():
        if weight:
            tell(f"{name} again, on {len(train):,} edges")
            model = _again(name, graphs, evidence, choices, seed=seed, folder=folder)
            parts.append(Part(name, model, weight))
    return Blend(parts, choices.scale)


def told(blend: Blend) -> str:
    """Return the weights in words."""
    return ", ".join(f"{part.name} {part.weight:g}" for part in blend.parts)


def _best(trials: Iterable[Trial], judge: Judge, tell: Tell) -> dict[str, Chosen]:
    """Return each part's best trial, the first on a tie; no more than two are held at a time."""
    best: dict[str, Chosen] = {}
    for trial in trials:
        model = trial.make()
        value = judge(model.score_block)
        tell(f"{trial.part} on the {trial.source} graph, {trial.setting}: {value:.4f}")
        if trial.part not in best or value > best[trial.part].value:
            best[trial.part] = Chosen(trial, model, value)
    return best


def _again(
    name: str,
    graphs: Mapping[str, Interactions],
    evidence: Evidence,
    choices: Choices,
    *,
    seed: int,
    folder: Path | None,
) -> Scorer:
    source, setting = choices.sources[name], choices.settings[name]
    if not isinstance(setting, GraphRecipe):
        return made.trial(name, setting, graphs[source], source, evidence, seed=seed).make()
    frozen = replace(setting, config=replace(setting.config, epochs=choices.epochs))
    trained = made.graph_model(
        graphs[made.RAW], evidence, frozen, seed=seed, serve=source, folder=folder
    )
    return trained.model
