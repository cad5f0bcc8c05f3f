"""Projects and their keys."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.api.schemas.base import MOMENT, OTHER_UUID, UUID_EXAMPLE, Answer, Body, Name, NextPage


class NewProject(Body):
    """A tenant to be made."""

    name: Name = Field(examples=["bookshop"])


class ProjectAnswer(Answer):
    """A tenant; it owns everything made under its keys."""

    id: UUID = Field(examples=[UUID_EXAMPLE])
    name: str = Field(examples=["bookshop"])
    created_at: datetime = Field(examples=[MOMENT])


class NewKey(Body):
    """A key to be made."""

    project_id: UUID | None = Field(default=None, examples=[UUID_EXAMPLE])
    """Whose key; an admin's own project by default, required of the operator."""
    name: Name = Field(examples=["webshop backend"])
    role: Literal["admin", "write", "read"] = Field(examples=["read"])
    expires_at: AwareDatetime | None = Field(default=None, examples=["2027-01-01T00:00:00Z"])
    """When it stops to work; null for never."""


class KeyAnswer(Answer):
    """A key without its secret."""

    id: UUID = Field(examples=[OTHER_UUID])
    project_id: UUID = Field(examples=[UUID_EXAMPLE])
    name: str = Field(examples=["webshop backend"])
    role: str = Field(examples=["read"])
    prefix: str = Field(examples=["3f9a1c07b2de"])
    created_at: datetime = Field(examples=[MOMENT])
    expires_at: datetime | None = Field(examples=[None])
    revoked_at: datetime | None = Field(default=None, examples=[None])


class CreatedKey(KeyAnswer):
    """A key with its secret: shown in the first answer to its creation and never again."""

    key: str | None = Field(examples=["wn_3f9a1c07b2de_…"])
    """Null where an Idempotency-Key replays the answer: the secret is not stored."""


class Keys(Answer):
    """A page of keys."""

    keys: list[KeyAnswer]
    next_page_token: NextPage
