"""Users and items: an id, a text, attributes."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.base import MOMENT, Answer, Body, CallerId, NextPage


class NewProfile(BaseModel):
    """A user or an item; any further field is an attribute."""

    model_config = ConfigDict(
        extra="allow",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_extra={
            "example": {"id": "b/17", "title": "Tides", "text": "A novel of the sea."}
        },
    )

    id: CallerId
    """Your own id, any UTF-8 up to 256 bytes."""
    text: str | None = None
    """What is known in words: it is read by the language model, as data."""
    attributes: dict[str, Any] = {}
    """The same as further fields."""


class NewUsers(Body):
    """Up to 1,000 users to insert or replace."""

    users: Annotated[
        list[NewProfile],
        Field(examples=[[{"id": "u1", "text": "Reads novels of the sea."}]]),
    ]


class NewItems(Body):
    """Up to 1,000 items to insert or replace."""

    items: Annotated[
        list[NewProfile],
        Field(examples=[[{"id": "b/17", "title": "Tides", "text": "A novel of the sea."}]]),
    ]


class ProfileChange(Body):
    """What is to change; what is left out stays."""

    text: str | None = Field(default=None, examples=["Reads novels of the sea, and now poems."])
    """Null takes the text away."""
    attributes: dict[str, Any] = Field(default={}, examples=[{"country": "IS"}])
    """Merged into what is there; null takes an attribute away."""


class ProfileAnswer(Answer):
    """A user or an item as it stands."""

    id: str = Field(examples=["u1"])
    text: str | None = Field(examples=["Reads novels of the sea."])
    attributes: dict[str, Any] = Field(examples=[{"country": "IS"}])
    updated_at: datetime = Field(examples=[MOMENT])


class Upserted(Answer):
    """What a bulk upsert did."""

    received: int = Field(examples=[2])
    changed: int = Field(examples=[1])
    """New ones, and those whose text or attributes differ from before."""
    version: int = Field(examples=[13])
    """The dataset's version now."""


class Users(Answer):
    """A page of users."""

    users: list[ProfileAnswer]
    next_page_token: NextPage


class Items(Answer):
    """A page of items."""

    items: list[ProfileAnswer]
    next_page_token: NextPage
