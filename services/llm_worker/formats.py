"""Which structured output an endpoint offers: found out by the first real questions."""

from collections.abc import Mapping

from services.shared.llm.prompts import response_format
from services.shared.llm.protocol import ChatReply

LADDER: tuple[Mapping[str, object] | None, ...] = (
    response_format(),  # or the question's own schema
    {"type": "json_object"},
    None,
)
"""Best first. The parser is equally strict on every rung."""

_NOT_OFFERED = {400, 415, 422}


class Formats:
    """The best rung on which this endpoint has answered, once it has.

    Until then each question climbs down by itself, so that one that is refused for its own sake
    never costs the others their schema; a refused request is not charged for.
    """

    def __init__(self) -> None:
        self._known: int | None = None

    @property
    def known(self) -> bool:
        """Say whether the endpoint has answered any question yet."""
        return self._known is not None

    def start(self) -> int:
        """Return the rung to begin a question on."""
        return self._known or 0

    def next(self, rung: int, reply: ChatReply) -> int | None:
        """Return the rung to try after a refusal; None when the refusal stands."""
        if self._known is not None or reply.http_status not in _NOT_OFFERED:
            return None
        return rung + 1 if rung + 1 < len(LADDER) else None

    def answered(self, rung: int) -> None:
        """Note that the endpoint has answered on this rung."""
        self._known = rung if self._known is None else min(rung, self._known)
