"""A run as the caller asks for it: method, parameters, seed and what it may spend."""

from decimal import Decimal
from typing import Literal

from pydantic import Field, field_serializer

from services.shared.llm.budget import Budget
from services.shared.specs.base import Spec, digest
from services.shared.specs.llmhni import LlmhniParams

MAX_SEED = 2**63 - 1


class RunSpec(Spec):
    """The body of a run; `method` and `backbone` decide which `params` are meant."""

    method: Literal["llmhni"] = "llmhni"
    """The denoising method."""
    backbone: Literal["lightgcn", "ngcf", "mf"] = "lightgcn"
    """The model that it trains; mf has no graph: a refined one reaches it by its pairs alone."""
    params: LlmhniParams = LlmhniParams()
    """The method's parameters."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """The root of all randomness."""
    budget_pairs: int = Field(default=10_000, gt=0, le=1_000_000_000)
    """Most pairs that are rated; each costs two calls."""
    budget_usd: Decimal | None = Field(
        default=None, gt=0, decimal_places=6, max_digits=15, strict=False
    )
    """Most dollars that are spent; null for no limit but the pairs."""
    prompt_version: int | None = Field(default=None, ge=1)
    """The version of both rating prompts; null for the newest."""
    validate_only: bool = False
    """Estimate and check, start nothing."""

    @field_serializer("budget_usd", when_used="json")
    def _write_plainly(self, amount: Decimal | None) -> str | None:
        """Write 12.50 and 12.5 alike: they are one budget and one hash."""
        return None if amount is None else format(amount.normalize(), "f")

    def config_hash(self) -> bytes:
        """Return 32 bytes over what shapes the result: all but `validate_only`.

        Fields left out hash as their defaults, and a preset as the fields it fills in.
        """
        fields = self.model_copy(
            update={"params": self.params.model_copy(update={"preset": "default"})}
        )
        return digest(fields, without=frozenset({"validate_only"}))

    def budget(self) -> Budget:
        """Return what this run may spend."""
        return Budget(pairs=self.budget_pairs, usd=self.budget_usd)
