"""Whether the service lives, and what it depends on."""

from typing import Literal

from pydantic import Field

from services.api.schemas.base import Answer


class Live(Answer):
    """The process answers."""

    status: Literal["ok"] = Field(default="ok", examples=["ok"])


class DependencyAnswer(Answer):
    """How one dependency is."""

    status: Literal["ok", "degraded", "away", "not configured"] = Field(examples=["ok"])
    detail: str | None = Field(examples=[None])
    """Why, where it is not well; no address and no secret."""
    milliseconds: float | None = Field(examples=[1.4])
    """How long it took to answer; null where it did not."""


class Ready(Answer):
    """Whether it can serve, with each dependency by name."""

    status: Literal["ok", "degraded", "unavailable"] = Field(examples=["ok"])
    dependencies: dict[str, DependencyAnswer] = Field(
        examples=[{"postgres": {"status": "ok", "detail": None, "milliseconds": 1.4}}]
    )
