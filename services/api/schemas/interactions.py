"""Interactions: each row is checked by itself, so that a bad one does not sink the rest."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from services.api.schemas.base import MOMENT, Answer, Body, CallerId, NextPage

ROW = {"user_id": "u1", "item_id": "b/17", "type": "rating", "value": 5, "timestamp": MOMENT}


class NewInteraction(Body):
    """One event of the log."""

    user_id: CallerId
    item_id: CallerId
    type: str | None = Field(default=None, min_length=1, max_length=64)
    value: float | None = None
    timestamp: str | float | None = Field(default=None)
    """RFC 3339, or seconds or milliseconds since 1970; without an offset the dataset's timezone."""
    event_id: str | None = Field(default=None, min_length=1, max_length=256)
    """Two rows with one event_id are one event."""
    text: str | None = None
    """Such as a review."""
    position: int | None = Field(default=None, ge=0, lt=2**31)
    """Where in a list the item stood."""
    split: Literal["train", "val", "test"] | None = None
    """Read where the dataset's split is `column`."""
    recommendation_id: str | None = Field(default=None, min_length=1, max_length=256)
    """The list that it came from."""


_SCHEMA = {
    "type": "array",
    "items": NewInteraction.model_json_schema(),
    "examples": [[ROW]],
    "maxItems": 1000,
}


class NewInteractions(Body):
    """Up to 1,000 events to add."""

    interactions: Annotated[list[Any], WithJsonSchema(_SCHEMA)]


class RowFault(Answer):
    """What was wrong with one row."""

    index: int = Field(examples=[3])
    code: str = Field(examples=["MISSING"])
    detail: str = Field(examples=["Field required"])
    pointer: str | None = Field(default=None, examples=["/interactions/3/user_id"])


class Added(Answer):
    """What became of the rows."""

    accepted: int = Field(examples=[998])
    duplicates: int = Field(examples=[1])
    rejected: int = Field(examples=[1])
    errors: list[RowFault]


class InteractionAnswer(Answer):
    """One event as it is kept."""

    user_id: str = Field(examples=["u1"])
    item_id: str = Field(examples=["b/17"])
    type: str | None = Field(examples=["rating"])
    value: float | None = Field(examples=[5])
    timestamp: datetime | None = Field(examples=[MOMENT])
    event_id: str | None = Field(examples=[None])
    text: str | None = Field(examples=[None])
    position: int | None = Field(examples=[None])
    split: str | None = Field(examples=[None])
    recommendation_id: str | None = Field(examples=[None])
    received_at: datetime = Field(examples=[MOMENT])


class Interactions(Answer):
    """A page of events, in the order of their arrival."""

    interactions: list[InteractionAnswer]
    next_page_token: NextPage
