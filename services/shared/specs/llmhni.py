"""The parameters of LLMHNI (arXiv 2511.07295), named by the paper's symbols in ASCII.

The defaults are our readings, with what was measured in docs/methods/llmhni.md. `preset="paper"`
fills every field that the caller leaves out with what the paper prints; what it does not print
stays ours.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.shared.specs.base import Spec

PAPER: dict[str, object] = {
    "d": 64,
    "B": 1024,
    "lr": 1e-3,
    "M": 30,
    "K": 10,
    "tau": 0.5,
    "pool": "relu",
    "rule": "paper",
    "positives": "printed",
    "edge_scores": "in_sample",
    "loss": "bpr",
    "epochs": 200,
    "lambda_1": 0.5,
    "lambda_2": 0.5,
    "tau_de": 0.5,
    "tau_hal": 0.5,
}
"""Printed in the paper's section on settings, or the form in which an equation is printed.

The last five are our reading: the paper prints a grid for four of them and no number of epochs.
"""

Temperature = Annotated[float, Field(gt=0, le=10)]
Weight = Annotated[float, Field(ge=0, le=100)]


class LlmhniParams(Spec):
    """One configuration of the method; every field has a default."""

    preset: Literal["paper", "default"] = "default"
    """Where fields that are not given come from."""
    d: int = Field(default=64, ge=4, le=1024)
    """Width of the vectors, d_rec."""
    L: int = Field(default=2, ge=0, le=8)
    """Propagation layers of the backbone."""
    B: int = Field(default=2048, ge=16, le=1_048_576)
    """Pairs per batch."""
    lr: float = Field(default=3e-3, gt=0, le=1)
    """Learning rate of Adam."""
    epochs: int = Field(default=12, ge=1, le=10_000)
    """Most passes over the pairs."""
    patience: int = Field(default=5, ge=1, le=10_000)
    """Validations without a gain before training stops."""
    M: int = Field(default=30, ge=1, le=4096)
    """Fresh non-interacted items per redraw of the pool (Eq. 8)."""
    K: int = Field(default=10, ge=1, le=1024)
    """Members of a user's pool of hard negatives (Eq. 8-10)."""
    pool: Literal["relu", "softmax", "hardest"] = "softmax"
    """How the pool is redrawn: by max(score, 0), by exp(score / T), or the highest scores."""
    loss: Literal["bpr", "sampled_softmax"] = "sampled_softmax"
    """L_rec; the paper prints BPR (Eq. 11)."""
    tau: Temperature = 0.1
    """Temperature of the alignment of text vectors (Eq. 7)."""
    edge_scores: Literal["plausibility", "leave_one_out", "in_sample"] = "plausibility"
    """What makes an edge suspicious (Eq. 12): all evidence, co-occurrence, or Rec_pre."""
    n1: int = Field(default=10, ge=0, le=1000)
    """High-scoring non-edges per user (Eq. 12)."""
    n2: int = Field(default=2, ge=0, le=1000)
    """Low-scoring edges per user (Eq. 12)."""
    K_item: int = Field(default=5, ge=1, le=50)
    """Liked items shown in the item view (Eq. 14), where the paper says K without a value."""
    rule: Literal["conservative", "paper", "soft"] = "conservative"
    """How ratings change the graph (Eq. 15-17)."""
    positives: Literal["refined", "printed"] = "refined"
    """Whose edges Eq. 19's numerators run over: the refined graph's or the raw one's."""
    max_drop_share: float = Field(default=0.1, ge=0, le=1)
    """Largest share of the edges that a run may drop."""
    max_added_per_item: int = Field(default=10, ge=0, le=1_000_000)
    """Most edges that a run may add to one item."""
    tau_de: Temperature = 0.3
    """Temperature of the denoising alignment (Eq. 18-19)."""
    tau_hal: Temperature = 0.3
    """Temperature of the hallucination-robust contrast (Eq. 20-22)."""
    lambda_1: Weight = 0.1
    """Weight of L_de (Eq. 23)."""
    lambda_2: Weight = 0.1
    """Weight of L_hal (Eq. 23)."""
    rho: float = Field(default=0.2, ge=0, lt=1)
    """Share of edges dropped in the views of Eq. 20."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("preset") == "paper":
            return {**PAPER, **given}
        return given

    @model_validator(mode="after")
    def _ask_about_something(self) -> "LlmhniParams":
        if self.n1 + self.n2 == 0:
            raise ValueError("n1 and n2 are both 0: no pair would be rated; raise one of them")
        return self
