"""Datasets and their settings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from services.api.schemas.base import MOMENT, OTHER_UUID, UUID_EXAMPLE, Answer, Body, Name, NextPage
from services.shared.specs import DatasetSettings

SETTINGS = {"positive": "value>=4", "split": {"kind": "random", "seed": 7}}


class NewDataset(Body):
    """A dataset to be made."""

    name: Name = Field(examples=["spring"])
    settings: DatasetSettings = Field(default=DatasetSettings(), examples=[SETTINGS])


class DatasetChange(Body):
    """What is to change; what is left out stays."""

    name: Name | None = Field(default=None, examples=["spring, second half"])
    settings: dict[str, Any] | None = Field(default=None, examples=[{"min_user_degree": 3}])
    """Single settings, each replaced as a whole (so all of `split`, if `split` is given)."""


class DatasetAnswer(Answer):
    """A log with its profiles."""

    id: UUID = Field(examples=[UUID_EXAMPLE])
    name: str = Field(examples=["spring"])
    settings: dict[str, Any] = Field(examples=[SETTINGS])
    version: int = Field(examples=[12])
    """Bumped by every write that a run could see."""
    created_at: datetime = Field(examples=[MOMENT])
    current_model_id: UUID | None = Field(examples=[OTHER_UUID])
    """The model that recommendations come from."""
    current_graph: str | None = Field(examples=[None])
    """Whose lists, where somebody chose; null for the model's default graph."""


class Datasets(Answer):
    """A page of datasets."""

    datasets: list[DatasetAnswer]
    next_page_token: NextPage
