"""The audit log: who did what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from services.api.schemas.base import MOMENT, OTHER_UUID, UUID_EXAMPLE, Answer, NextPage

SUBJECT = {"user_id": "u1", "item_id": "b/17", "before": None, "after": "noise"}


class AuditAnswer(Answer):
    """One deed, written down in its own transaction and never changed since."""

    id: UUID = Field(examples=[UUID_EXAMPLE])
    created_at: datetime = Field(examples=[MOMENT])
    action: str = Field(examples=["verdict.set"])
    actor: str = Field(examples=["key"])
    """`key`, `operator`, or `system` for what Winnow does by itself."""
    key_id: UUID | None = Field(examples=[OTHER_UUID])
    key_name: str | None = Field(examples=["review desk"])
    key_prefix: str | None = Field(examples=["3f9a1c07b2de"])
    """What stands first in the key; never its secret."""
    author: str | None = Field(examples=["ada@shop.example"])
    """Whom the caller named; nobody checked it."""
    dataset_id: UUID | None = Field(examples=[OTHER_UUID])
    subject: dict[str, Any] = Field(examples=[SUBJECT])
    """Ids, and what was before and after."""
    request_id: str | None = Field(examples=[UUID_EXAMPLE])


class AuditLog(Answer):
    """A page of deeds, newest first."""

    entries: list[AuditAnswer]
    next_page_token: NextPage
