"""The faults that no answer survives: told to wait, told to go, or cut off."""

from datetime import timedelta
from email.utils import format_datetime

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.local_llm.faults import Kind
from services.local_llm.wire import error_response
from services.shared.clock import utc_now

RETRY_AFTER = "1"  # seconds


class Cut(Response):
    """An answer whose connection ends before its body does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise a body, send a byte of it, and leave: the server then closes the connection."""
        del scope, receive
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


def refusal(fault: Kind | None) -> Response | None:
    """Return the answer of a fault of the transport; None for the others, which spoil a reply."""
    match fault:
        case "rate_limit":
            message, kind = "Rate limit reached (asked-for fault).", "rate_limit_error"
            return error_response(429, message, kind=kind, retry_after=RETRY_AFTER)
        case "rate_limit_date":
            message, kind = "Rate limit reached (asked-for fault).", "rate_limit_error"
            soon = utc_now() + timedelta(seconds=float(RETRY_AFTER))
            return error_response(
                429, message, kind=kind, retry_after=format_datetime(soon, usegmt=True)
            )
        case "server_error":
            return error_response(503, "Overloaded (asked-for fault).", kind="server_error")
        case "drop":
            return Cut()
        case _:
            return None
