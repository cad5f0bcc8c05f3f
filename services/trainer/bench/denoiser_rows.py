"""Rows of LLMHNI: both presets on every backbone, without ratings and with each file of them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, cast

import torch
from safetensors.torch import load_file, save_file

from services.recsys.align import PRESETS, align
from services.recsys.data import Embeddings, Interactions, Signals
from services.recsys.methods.llmhni import LLMHNI, Config
from services.recsys.refine import RefineConfig, Refinement, refine
from services.recsys.registry import BACKBONES
from services.shared.canonical import Json, content_hash
from services.shared.specs import LlmhniParams, RunSpec
from services.trainer import spec as recipes
from services.trainer.bench import raw_rows, recipe, trained
from services.trainer.bench.corpus import fingerprint
from services.trainer.bench.replay import Replay
from services.trainer.bench.rows import Made, Row, Work

CPU = torch.device("cpu")
Preset = Literal["default", "paper"]
TITLES: dict[Preset, str] = {"default": "default", "paper": "printed"}
CONFIGS: dict[Preset, Config] = {
    "default": replace(Config.default(), epochs=raw_rows.EPOCHS),
    "paper": Config.paper(),
}
PATIENCE: dict[Preset, int] = {"default": raw_rows.PATIENCE, "paper": 10}
"""The printed recipe starts from noise at a third of the learning rate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Texts:
    """The texts' vectors and where their alignments are kept."""

    vectors: Embeddings
    folder: Path

    @property
    def key(self) -> str:
        """Return the hash of the vectors."""
        return fingerprint(self.vectors.users.numpy(), self.vectors.items.numpy())

    def aligned(self, graph: Interactions, preset: Preset, seed: int) -> Embeddings:
        """Return the alignment on a graph (Eq. 5-7), trained once."""
        config = PRESETS[preset]
        plan: dict[str, Json] = {
            "texts": self.key,
            "graph": fingerprint(graph.keys()),
            "seed": seed,
            **asdict(config),
        }
        path = self.folder / f"{content_hash(plan)}.safetensors"
        if not path.exists():
            rng = recipe.seeds(RunSpec(seed=seed), "align").torch("align")
            found = align(self.vectors, graph, config=config, rng=rng)
            self.folder.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(".part")
            save_file({"users": found.users, "items": found.items}, half)
            half.rename(path)
        kept = load_file(path)
        return Embeddings(kept["users"], kept["items"])


def llmhni_rows(texts: Texts, ratings: Sequence[Replay], *, epochs: int | None = None) -> list[Row]:
    """Return both presets on every backbone, G' = G and then by each file of ratings."""
    return [
        row(texts, preset, backbone, config=capped(preset, epochs), said=said)
        for backbone in raw_rows.backbones()
        for preset in CONFIGS
        for said in (None, *ratings)
    ]


def row(
    texts: Texts,
    preset: Preset,
    backbone: str = raw_rows.FIRST,
    *,
    config: Config | None = None,
    said: Replay | None = None,
    variant: str = "",
) -> Row:
    """Return one LLMHNI; `variant` says in what its config differs from the preset's."""
    config = CONFIGS[preset] if config is None else config
    patience = PATIENCE[preset]
    words = [f"LLMHNI {TITLES[preset]}", raw_rows.title(backbone), variant]
    name = ", ".join(word for word in words if word)
    return Row(
        name=name if said is None else f"{name}, ratings {said.name}",
        kept_by=name if said is None else f"{name}, ratings {said.stem}",
        plan={
            "method": "llmhni",
            "preset": preset,  # of the alignment and of the rule
            "backbone": backbone,
            **asdict(config),
            "patience": patience,
            "texts": texts.key,
            "alignment": cast("Json", asdict(PRESETS[preset])),
            "ratings": None if said is None else said.sha256,
            "rule": None if said is None else cast("Json", asdict(_rule(preset))),
        },
        make=_maker(texts, preset, backbone, config, said),
        resumes=True,
        late=(0 if backbone == raw_rows.FIRST else 1) + (1 if preset == "paper" else 0),
        printed="LLMHNI" if (preset, backbone, variant) == ("paper", raw_rows.FIRST, "") else "",
        notes={"setting": trained.setting(config, patience)},
    )


def capped(preset: Preset, epochs: int | None) -> Config:
    """Return a preset with at most so many epochs."""
    config = CONFIGS[preset]
    return config if epochs is None else replace(config, epochs=min(epochs, config.epochs))


def _maker(
    texts: Texts, preset: Preset, backbone: str, config: Config, said: Replay | None
) -> Callable[[Work], Made]:
    def make(work: Work) -> Made:
        refinement = None if said is None else _refined(work, said, preset)
        return denoised(work, texts, preset, config, refinement, backbone=backbone)

    return make


def denoised(
    work: Work,
    texts: Texts,
    preset: Preset,
    config: Config,
    refinement: Refinement | None,
    *,
    backbone: str = raw_rows.FIRST,
) -> Made:
    """Return LLMHNI trained on the work's graph and what ratings made of it; G' = G without any."""
    signals = Signals(
        aligned=texts.aligned(work.graph, preset, work.seed),
        texts=texts.vectors,
        refined=None if refinement is None else refinement.interactions,
        hard=None if refinement is None else refinement.hard,
    )
    done = trained.made(
        work,
        config,
        lambda own: LLMHNI(config, BACKBONES[backbone], work.graph, signals, seeds=own, device=CPU),
        stage="train",
        patience=PATIENCE[preset],
    )
    return trained.told(done, _actions(refinement))


def _refined(work: Work, said: Replay, preset: Preset) -> Refinement:
    return refine(work.graph, said.pairs, config=_rule(preset))


def _rule(preset: Preset) -> RefineConfig:
    return recipes.refinement(LlmhniParams.read({"preset": preset}))


def _actions(refinement: Refinement | None) -> dict[str, object]:
    actions = [] if refinement is None else refinement.actions.tolist()
    return {"dropped": actions.count("drop"), "added": actions.count("add")}
