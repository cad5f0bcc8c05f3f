"""One HTTP call: authorised, retried where that is safe, its errors typed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from winnow_client.errors import ApiError, ConnectionFailedError, Json, api_error
from winnow_client.retry import IDEMPOTENT, Retry, is_refused_for_now

Body = Callable[[], Iterator[bytes]]


def segment(identifier: str) -> str:
    """Return an id as one path segment: nothing in it is read as a path, dots included."""
    return quote(identifier, safe="").replace(".", "%2E")


class Transport:
    """Sends requests to one base URL with one key."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        retry: Retry | None = None,
        timeout: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (key.isascii() and key.isprintable()):  # a sentence that does not quote the key
            raise ValueError("the key holds a character outside printable ASCII: is it whole?")
        self._retry = retry or Retry()
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=timeout,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Json | None = None,
        json: object = None,
        headers: dict[str, str] | None = None,
        body: Body | None = None,
        replayable: bool = True,
        reads: bool = False,
    ) -> Any:  # noqa: ANN401 - whatever JSON the API answers
        """Return the decoded JSON answer, None where it is empty; `reads`: a POST changes nothing.

        Raises ApiError for a 4xx/5xx answer and ConnectionFailedError where none came.
        """
        repeatable = reads or method in IDEMPOTENT or "Idempotency-Key" in (headers or {})
        safe = replayable and repeatable
        attempts = self._retry.attempts if safe else 1

        def build() -> httpx.Request:
            return self._http.build_request(
                method,
                path,
                params={k: v for k, v in (params or {}).items() if v is not None},
                json=json,
                headers=headers,
                content=body() if body else None,
            )

        response = self._send(build, attempts)
        return response.json() if response.content else None

    def _send(self, build: Callable[[], httpx.Request], attempts: int) -> httpx.Response:
        for attempt in range(attempts):
            last = attempt + 1 == attempts
            try:
                response = self._http.send(build())
            except httpx.TransportError as error:
                if last:
                    raise ConnectionFailedError(_sentence(self._http.base_url, error)) from error
                self._sleep(self._retry.wait(attempt, None))
                continue
            if last or not is_refused_for_now(response):
                return _checked(response)
            self._sleep(self._retry.wait(attempt, response))
        raise AssertionError("attempts is at least one")


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise api_error(response)
    with suppress(ValueError):
        if response.content:
            response.json()
        return response
    raise ApiError(
        code="NOT_JSON",
        status=response.status_code,
        detail="The answer is no JSON: is this the address of a Winnow API?",
    )


def _sentence(url: httpx.URL, error: httpx.TransportError) -> str:
    return f"No answer from {url}: {type(error).__name__} {error}".rstrip()
