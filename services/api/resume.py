"""Where a reader of events goes on, and in which form: headers for browsers, queries for others."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query

from services.shared.errors import InvalidError

EVENT_STREAM = "text/event-stream"
_LAST = re.compile(r"(\d{1,18})(/end)?")


@dataclass(frozen=True)
class Resume:
    """What the reader has: events up to `after`, and whether the end was sent after them."""

    after: int
    heard_end: bool
    stream: bool


def get_resume(
    after: Annotated[
        int, Query(ge=0, lt=2**63, description="only what came after the event of this id")
    ] = 0,
    last_event_id: Annotated[
        str | None, Query(description="as the header Last-Event-ID, for who cannot set it")
    ] = None,
    last_event: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="go on after this event", examples=["7"]),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Resume:
    """Return where to go on; the header wins over the queries, for a browser keeps it up to date.

    InvalidError on an id that no stream has sent.
    """
    given = last_event or last_event_id
    stream = wants_stream(accept)
    if given is None:
        return Resume(after, heard_end=False, stream=stream)
    match = _LAST.fullmatch(given)
    if match is None:
        raise InvalidError(
            "Last-Event-ID is the id of an event that this job has sent, such as 7.",
            pointer="/header/Last-Event-ID" if last_event else "/query/last_event_id",
            code="INVALID_LAST_EVENT_ID",
        )
    return Resume(int(match[1]), heard_end=match[2] is not None, stream=stream)


Resumed = Annotated[Resume, Depends(get_resume)]


def wants_stream(accept: str) -> bool:
    """Say whether an Accept header prefers the stream: it names it, and JSON no more than that."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            weights[name] = float(quality)
        except ValueError:
            weights[name] = 0.0
    stream = weights.get(EVENT_STREAM, 0.0)
    return stream > 0 and stream >= weights.get("application/json", 0.0)
