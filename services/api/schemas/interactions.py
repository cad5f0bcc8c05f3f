"""Interactions: each row is checked by itself, so that a bad one does not sink the rest."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from services.api.schemas.base import MOMENT, Answer, Body, CallerId, NextPage

ROW = {"user_id": "u1", "item_id": "b/17", "type": "rating", "value": 5, "timestamp": MOMENT}


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - what pydantic turns into an answer
    return value


def _a_time(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise ValueError(  # noqa: TRY004 - as above
            "must be an RFC 3339 time in quotes, or a number of seconds or milliseconds since 1970"
        )
    return value


_NoBoolean = BeforeValidator(_no_boolean)  # to pydantic, true is 1
_ATime = BeforeValidator(_a_time)


class NewInteraction(Body):
    """One event of the log."""

    user_id: CallerId
    item_id: CallerId
    type: str | None = Field(default=None, min_length=1, max_length=64)
    value: Annotated[float | None, _NoBoolean] = None
    timestamp: Annotated[str | float | None, _ATime] = None
    """RFC 3339, or seconds or milliseconds since 1970; without an offset the dataset's timezone."""
    event_id: str | None = Field(default=None, min_length=1, max_length=256)
    """Two rows with one event_id are one event."""
    text: str | None = None
    """Such as a review."""
    position: Annotated[int | None, _NoBoolean] = Field(default=None, ge=0, lt=2**31)
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


class RowWarning(Answer):
    """What is odd about rows that were accepted."""

    code: str = Field(examples=["FUTURE_TIMESTAMP"])
    detail: str = Field(examples=["Accepted, but their timestamp lies in the future."])
    rows: int = Field(examples=[2])
    indexes: list[int] = Field(examples=[[4, 17]])
    """The places of the first ten."""


class Added(Answer):
    """What became of the rows."""

    accepted: int = Field(examples=[998])
    duplicates: int = Field(examples=[1])
    rejected: int = Field(examples=[1])
    errors: list[RowFault]
    warnings: list[RowWarning]


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
