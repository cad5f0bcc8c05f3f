"""A user's top-K."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.api.schemas.base import UUID_EXAMPLE, Answer


class Recommended(Answer):
    """One item of a list."""

    item_id: str = Field(examples=["b/17"])
    score: float = Field(examples=[3.1274])
    rank: int = Field(examples=[1])
    reasons: list[str] = Field(examples=[["Readers of Deep Water chose it too."]])


class Recommendations(Answer):
    """A list, best first; never what the user has seen."""

    recommendation_id: str = Field(examples=["kJ0dY2m0mX9T4oKq1u1WfQ"])
    """Name it in interactions that come from this list."""
    model_id: UUID = Field(examples=[UUID_EXAMPLE])
    dataset_version: int = Field(examples=[12])
    strategy: Literal["model", "popular"] = Field(examples=["model"])
    fallback: Literal["popular"] | None = Field(examples=[None])
    """What stood in, where the model does not know the user."""
    items: list[Recommended]
