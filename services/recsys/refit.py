"""The default preset again: what validation chose, trained on other edges without a look at any."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from services.recsys import parts as made
from services.recsys.blend import Blend, Part, Scorer
from services.recsys.data import Interactions
from services.recsys.default import Choices, Preset, Tell
from services.recsys.parts import Evidence, GraphRecipe, Setting
from services.recsys.readings import fitted, sources


def refit(  # noqa: PLR0913 - the preset's dials, all by keyword
    train: Interactions,
    evidence: Evidence,
    choices: Choices,
    *,
    preset: Preset | None = None,
    seed: int = 0,
    solved: dict[str, Scorer] | None = None,
    folder: Path | None = None,
    tell: Tell = lambda _: None,
    device: torch.device | None = None,
) -> Blend:
    """Train what was chosen on other edges, such as train and val together; nothing is judged.

    The evidence must be made anew for those edges: G' and its other readings, and texts of users
    that were composed of their items. What has no seed is left in `solved` and taken from there.

    Raises ValueError, before anything is trained, where preset or evidence lack what was chosen.
    """
    preset, solved = preset or Preset(), {} if solved is None else solved
    evidence.check(train)
    _check(choices, preset, evidence, evidence.graphs(train))
    parts = []
    for name, weight in choices.weights.items():
        if weight:
            tell(f"{name} again, on {len(train):,} edges")
            model = solved.get(name)
            if model is None:
                model = _again(name, train, evidence, choices, preset, seed, folder, device=device)
            if name not in made.SEEDED:
                solved[name] = model
            parts.append(Part(name, model, weight))
    return Blend(parts, choices.scale)


def _check(
    choices: Choices, preset: Preset, evidence: Evidence, graphs: Mapping[str, Interactions]
) -> None:
    """Raise ValueError where the preset or the evidence lacks what was chosen."""
    asked = [name for name, weight in choices.weights.items() if weight]
    if not asked:
        raise ValueError("the choices give no part a weight: nothing to train")
    for name in asked:
        if name not in {made.EASE, *made.PLAIN, *made.SEEDED}:
            raise ValueError(f"{name} was chosen: no part bears that name")
        source, known = choices.sources.get(name), sources(graphs, closed=name != made.GRAPH)
        if source not in known:
            raise ValueError(f"{name} was chosen on the {source} graph: there is {known}")
        if not made.there(name, evidence):
            raise ValueError(f"{name} was chosen: its text is missing")
    held = {made.EASE: (choices.ease, preset.ease), made.IALS: (choices.ials, preset.ials)}
    for name, (chosen, settings) in held.items():
        if name in asked and not 0 <= chosen < len(settings):
            raise ValueError(
                f"setting {chosen} of {name} was chosen: the preset has {len(settings)}"
            )
    if made.GRAPH in asked and preset.graph is None:
        raise ValueError(f"{made.GRAPH} was chosen: the preset has none")
    _check_same(choices, preset, evidence)


def _check_same(choices: Choices, preset: Preset, evidence: Evidence) -> None:
    """Raise ValueError where preset or evidence would make another model than was chosen."""
    held: dict[str, Setting] = {made.GRAPH: preset.graph}
    held |= {made.EASE: preset.ease[choices.ease]} if preset.ease else {}
    held |= {made.IALS: preset.ials[choices.ials]} if preset.ials else {}
    for name, setting in choices.settings.items():
        if choices.weights.get(name) and repr(held.get(name)) != setting:
            raise ValueError(
                f"{name} was chosen with {setting}: this preset has {held.get(name)!r} in its place"
            )
    if choices.texts is not None and tuple(choices.texts) != evidence.of_texts():
        raise ValueError(
            f"the choices were made with texts {list(choices.texts)}: "
            f"the evidence has {list(evidence.of_texts())}"
        )


def _again(
    name: str,
    train: Interactions,
    evidence: Evidence,
    choices: Choices,
    preset: Preset,
    seed: int,
    folder: Path | None,
    *,
    device: torch.device | None,
) -> Scorer:
    source = choices.sources[name]
    if name == made.GRAPH:
        recipe = cast("GraphRecipe", preset.graph)  # `_check` has looked
        frozen = replace(recipe, config=replace(recipe.config, epochs=choices.epochs))
        return made.graph_model(
            train, evidence, frozen, seed=seed, serve=source, folder=folder, device=device
        ).model
    setting: Setting = None
    if name == made.EASE:
        setting = preset.ease[choices.ease]
    if name == made.IALS:
        setting = preset.ials[choices.ials]
    model = made.closed(name, setting, evidence, seed=seed)
    return fitted(model, source, evidence.graphs(train))
