"""What can go wrong: the API refused, nobody answered, or a job did not succeed."""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]


class WinnowError(Exception):
    """Base of every error that this client raises on purpose."""


class ConnectionFailedError(WinnowError):
    """No answer came: refused, cut or timed out."""


class ApiError(WinnowError):
    """An RFC 9457 problem: `status`, the API's `code`, `detail`, `request_id`, `errors`."""

    def __init__(
        self,
        *,
        code: str,
        status: int,
        detail: str,
        request_id: str | None = None,
        errors: list[Json] | None = None,
    ) -> None:
        self.code = code
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.errors = errors or []
        self.retry_after: float | None = None  # seconds, where a refused stream named them
        super().__init__(f"{status} {code}: {detail}")


class JobFailedError(WinnowError):
    """A job ended failed or cancelled; `job` is its last state."""

    def __init__(self, job: Json) -> None:
        self.job = job
        super().__init__(
            f"{job.get('kind', 'job')} {job.get('id')} {job.get('state')}: {_why(job)}"
        )


def _why(job: Json) -> str:
    error = job.get("error")
    if isinstance(error, dict):
        told = str(error.get("detail") or error.get("message") or error.get("code") or error)
        return told + _first_line(job)
    if job.get("state") == "cancelled":
        return str(error or "somebody asked it to stop")
    return str(error or "no reason given")


def _first_line(job: Json) -> str:
    """Return what was wrong with an import's first bad line."""
    result = job.get("result")
    lines = result.get("errors") if isinstance(result, dict) else None
    if not lines:
        return ""
    return f" Line {lines[0].get('line')}: {lines[0].get('detail')}"


def api_error(response: httpx.Response) -> ApiError:
    """Return the error of a read 4xx/5xx response, also where its body is no problem document."""
    body = _problem(response)
    return ApiError(
        code=str(body.get("code") or f"HTTP_{response.status_code}"),
        status=response.status_code,
        detail=str(body.get("detail") or body.get("title") or response.reason_phrase),
        request_id=body.get("request_id") or response.headers.get("X-Request-Id"),
        errors=body.get("errors"),
    )


def _problem(response: httpx.Response) -> Json:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
