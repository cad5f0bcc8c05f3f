"""Models: the card of what can be served."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.api.schemas.base import (
    MOMENT,
    OTHER_UUID,
    UUID_EXAMPLE,
    Answer,
    Body,
    Name,
    NextPage,
)
from services.api.schemas.verdicts import MAX_NOTE


class ModelAnswer(Answer):
    """A model card: these fields, and what the run wrote on it (metrics, parameters, prompts)."""

    model_config = ConfigDict(extra="allow")

    id: UUID = Field(examples=[UUID_EXAMPLE])
    dataset_id: UUID = Field(examples=[OTHER_UUID])
    run_id: UUID = Field(examples=[OTHER_UUID])
    dataset_version: int = Field(examples=[12])
    default_graph: str = Field(examples=["denoised"])
    """Which graph's lists are served, as decided on validation."""
    served: bool = Field(examples=[True])
    """Whether recommendations come from it now."""
    served_graph: str | None = Field(examples=["denoised"])
    """Which graph's lists they come from: the default one unless somebody chose; else null."""
    created_at: datetime = Field(examples=[MOMENT])


class Promotion(Body):
    """How the model is to be served; all may be left out."""

    graph: Literal["raw", "denoised"] | None = Field(default=None, examples=["raw"])
    """Whose lists; null for the model's default graph."""
    author: Name | None = Field(default=None, examples=["ada@shop.example"])
    """Who decided, in your words: for the audit log."""


class Remark(Body):
    """Why, and who says so; all may be left out."""

    note: str | None = Field(
        default=None, min_length=1, max_length=MAX_NOTE, examples=["Too many true pairs fell."]
    )
    """Kept with every word that this says."""
    author: Name | None = Field(default=None, examples=["ada@shop.example"])
    """In your words; the key that is used is kept beside it."""


class RefinementAnswer(Answer):
    """What an undo or a redo came to."""

    model: ModelAnswer
    pairs: int = Field(examples=[290])
    """Pairs that it spoke of, or fell silent about; without those that a person had spoken of."""
    serving_changed: bool = Field(examples=[True])
    """Whether recommendations come from other lists than a moment ago."""
    version: int = Field(examples=[13])
    """The dataset's version now: a run whose snapshot has it obeys."""


class Models(Answer):
    """A page of models, newest first."""

    models: list[ModelAnswer]
    next_page_token: NextPage
