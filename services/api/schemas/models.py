"""Models: the card of what can be served."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from services.api.schemas.base import MOMENT, OTHER_UUID, UUID_EXAMPLE, Answer, NextPage


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
    created_at: datetime = Field(examples=[MOMENT])


class Models(Answer):
    """A page of models, newest first."""

    models: list[ModelAnswer]
    next_page_token: NextPage
