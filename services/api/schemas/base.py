"""The two roots: a body refuses what it does not know, an answer is read from our own objects."""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

UUID_EXAMPLE = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHER_UUID = "01890a5d-b17c-7d43-8a0e-6d3a4f1f0c11"
MOMENT = "2026-03-01T09:30:00+00:00"

MAX_ID_BYTES = 256


def check_id(text: str) -> str:
    """Return an id of the caller's; ValueError unless it is 1 to 256 bytes of UTF-8 without NUL."""
    size = len(text.encode())
    if not 1 <= size <= MAX_ID_BYTES:
        raise ValueError(f"must be 1 to {MAX_ID_BYTES} bytes long, and this one has {size:,}")
    if "\0" in text:
        raise ValueError("may not hold the character U+0000")
    return text


def id_of_segment(raw: str) -> str:
    """Return the id that a path's segment percent-encodes; ValueError when it encodes none."""
    try:
        text = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise ValueError("is no UTF-8 once its percent-encoding is undone") from None
    return check_id(text)


CallerId = Annotated[
    str,
    AfterValidator(check_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES}),
]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
NextPage = Annotated[
    str | None, Field(description="hand it back as `page_token`; null on the last page")
]


class Body(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class Problem(Answer):
    """An error, as RFC 9457 has it."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    code: str = Field(examples=["INVALID"])
    """For programs: stable, UPPER_SNAKE."""
    detail: str = Field(examples=["/name: String should have at least 1 character"])
    """For people: one sentence."""
    request_id: str | None = Field(examples=[UUID_EXAMPLE])
    """What the server's log knows this request by."""
    errors: list["ProblemFault"]


class ProblemFault(Answer):
    """One fault of several."""

    code: str = Field(examples=["STRING_TOO_SHORT"])
    detail: str = Field(examples=["String should have at least 1 character"])
    pointer: str | None = Field(default=None, examples=["/name"])
    """Where in the body (RFC 6901); `/query/…` and `/path/…` where it is no body."""
    index: int | None = Field(default=None, examples=[0])
    """Which row of a bulk body."""


Problem.model_rebuild()
