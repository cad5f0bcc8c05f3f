"""From a run's spec to the configurations of recsys: the only place that knows both."""

from dataclasses import replace

from services.recsys.align import PRESETS, AlignConfig
from services.recsys.candidates import CandidateConfig
from services.recsys.methods import bpr, llmhni
from services.recsys.refine import RefineConfig
from services.shared.specs import LlmhniParams, RunSpec

PRETRAIN_EPOCHS = 6
"""Of Rec_pre: half the recipe's; a ranking of suspects needs no converged model."""


def raw(params: LlmhniParams) -> bpr.Config:
    """Return the raw model's recipe: the denoiser's own, without texts, ratings and contrast."""
    recipe = denoised(params)
    return bpr.Config(
        d=recipe.d,
        n_layers=recipe.n_layers,
        epochs=recipe.epochs,
        B=recipe.B,
        lr=recipe.lr,
        start=recipe.start,
        loss=recipe.loss,
        n_shared=recipe.n_shared,
        tau=recipe.tau,
        M=recipe.M,
        lambda_reg=recipe.lambda_reg,
    )


def pretrained(params: LlmhniParams) -> bpr.Config:
    """Return Rec_pre's recipe: the raw model's, cut short."""
    recipe = raw(params)
    return replace(recipe, epochs=min(recipe.epochs, PRETRAIN_EPOCHS))


def denoised(params: LlmhniParams) -> llmhni.Config:
    """Return LLMHNI's recipe; what the spec does not name comes from its preset."""
    paper = params.preset == "paper"
    base = llmhni.Config.paper() if paper else llmhni.Config.default()
    return replace(
        base,
        d=params.d,
        n_layers=params.L,
        epochs=params.epochs,
        B=params.B,
        lr=params.lr,
        loss=params.loss,
        M=params.M,
        K=params.K,
        pool=params.pool,
        lambda_1=params.lambda_1,
        lambda_2=params.lambda_2,
        de=params.lambda_1 > 0,  # a term of weight 0 need not be computed
        hal=params.lambda_2 > 0,
        tau_de=params.tau_de,
        tau_hal=params.tau_hal,
        rho=params.rho,
        positives="refined" if params.positives == "refined" else "edges",
    )


def alignment(params: LlmhniParams) -> AlignConfig:
    """Return Eq. 5-7's configuration."""
    return replace(PRESETS[params.preset], d=params.d, tau=params.tau)


def candidates(spec: RunSpec) -> CandidateConfig:
    """Return Eq. 12's configuration, under the run's budget of pairs."""
    params = spec.params
    return CandidateConfig(
        n1=params.n1,
        n2=params.n2,
        edge_scores=params.edge_scores,
        history=params.K_item,
        budget=spec.budget_pairs,
    )


def refinement(params: LlmhniParams) -> RefineConfig:
    """Return Eq. 15-17's rule and limits."""
    return RefineConfig(
        rule=params.rule,
        max_dropped=params.max_drop_share,
        max_added_per_item=params.max_added_per_item,
    )
