"""Whether the service lives, and what it depends on."""

from typing import Literal

from pydantic import Field

from services.api.schemas.base import Answer


class Live(Answer):
    """The process answers."""

    status: Literal["ok"] = Field(default="ok", examples=["ok"])


class Ready(Answer):
    """Whether it can serve, with each dependency by name."""

    status: Literal["ok", "degraded", "unavailable"] = Field(examples=["ok"])
    dependencies: dict[str, str] = Field(
        examples=[{"postgres": "ok", "lists": "ok", "valkey": "ok", "llm": "ok", "scorer": "ok"}]
    )
