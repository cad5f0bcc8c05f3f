"""A run's stages without services: the same configurations, the same seeds, the same code."""

from dataclasses import dataclass

import torch

from services.recsys.align import align
from services.recsys.candidates import Candidates, choose_candidates
from services.recsys.data import Embeddings, Interactions, Signals, Split
from services.recsys.edge_scores import score_edges
from services.recsys.loop import Fit, fit
from services.recsys.methods import bpr, llmhni
from services.recsys.methods.bpr import BPR
from services.recsys.methods.llmhni import LLMHNI
from services.recsys.objective import Method
from services.recsys.refine import Refinement, refine
from services.recsys.registry import BACKBONES
from services.recsys.seeds import Seeds
from services.recsys.topk import inner_product
from services.recsys.verdicts import RatedPairs
from services.shared.specs import RunSpec
from services.trainer import spec as recipes
from services.trainer.training import validation

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Prepared:
    """What all arms share: aligned texts and the pairs that are asked about."""

    texts: Embeddings
    aligned: Embeddings
    pairs: Candidates


def prepare(split: Split, texts: Embeddings, spec: RunSpec) -> Prepared:
    """Align the texts, pretrain, choose the candidates."""
    aligned = align(
        texts,
        split.train,
        config=recipes.alignment(spec.params),
        rng=seeds(spec, "align").torch("align"),
    )
    return Prepared(texts, aligned, suspects(split.train, texts, spec))


def suspects(train: Interactions, texts: Embeddings, spec: RunSpec) -> Candidates:
    """Pretrain and choose the pairs that are asked about."""
    score_block, config = inner_product(pretrained(train, spec)), recipes.candidates(spec)
    own = seeds(spec, "candidates")
    scores = score_edges(
        config.edge_scores, train, score_block, texts=texts, rng=own.numpy("edge_scores")
    )
    return choose_candidates(
        train, score_block, edge_scores=scores, config=config, rng=own.numpy("candidates")
    )


def train_raw(split: Split, spec: RunSpec) -> Fit:
    """Train on G alone, the epoch chosen by validation."""
    recipe, own = recipes.raw(spec.params), seeds(spec, "train_raw")
    method = BPR(recipe, BACKBONES[spec.backbone], split.train, seeds=own, device=CPU)
    return _fit(method, recipe, split, own, patience=spec.params.patience)


def refined(split: Split, rated: RatedPairs, spec: RunSpec) -> Refinement:
    """Return E' and what became of every pair."""
    return refine(split.train, rated, config=recipes.refinement(spec.params))


def train_denoised(
    split: Split, prepared: Prepared, refinement: Refinement | None, spec: RunSpec
) -> Fit:
    """Train LLMHNI on G and G'; without a refinement G' = G and only the texts speak."""
    recipe, own = recipes.denoised(spec.params), seeds(spec, "train")
    signals = Signals(
        aligned=prepared.aligned,
        texts=prepared.texts,
        refined=None if refinement is None else refinement.interactions,
        hard=None if refinement is None else refinement.hard,
    )
    backbone = BACKBONES[spec.backbone]
    method = LLMHNI(recipe, backbone, split.train, signals, seeds=own, device=CPU)
    return _fit(method, recipe, split, own, patience=spec.params.patience)


def seeds(spec: RunSpec, stage: str) -> Seeds:
    """Return a stage's generators, as the stage of a run draws them."""
    return Seeds(Seeds(spec.seed).integer(stage))


def pretrained(train: Interactions, spec: RunSpec) -> Embeddings:
    """Return Rec_pre's vectors."""
    recipe, own = recipes.pretrained(spec.params), seeds(spec, "pretrain")
    method = BPR(recipe, BACKBONES[spec.backbone], train, seeds=own, device=CPU)
    trained = fit(method, train, epochs=recipe.epochs, batch_size=recipe.B, lr=recipe.lr, seeds=own)
    return trained.embeddings


def _fit(
    method: Method, recipe: bpr.Config | llmhni.Config, split: Split, own: Seeds, *, patience: int
) -> Fit:
    return fit(
        method,
        split.train,
        epochs=recipe.epochs,
        batch_size=recipe.B,
        lr=recipe.lr,
        seeds=own,
        validate=lambda vectors: validation(vectors, split),
        patience=patience,
    )
