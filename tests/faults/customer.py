"""A downstream app that never gives up: it asks until it is answered, and notes how."""

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from tests.e2e.drive import PATIENCE

Json = dict[str, Any]

NOT_NOW = {409, 503}  # still running after a first try that was cut off, or a dependency is away


class Customer:
    """One key's holder. `troubles` are the answers and errors that it had to ask again after."""

    def __init__(self, url: str, key: str) -> None:
        self.troubles: list[str] = []
        self.kept: list[tuple[httpx.Request, httpx.Response]] = []  # what a replay must repeat
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str) -> Json:
        """Return what is at a path."""
        answer: Json = self._until_answered("GET", path, {}).json()
        return answer

    def post(self, path: str, body: Json) -> Json:
        """Create something once, however often it has to be asked for."""
        answer: Json = self._until_answered("POST", path, _key(), json=body).json()
        return answer

    def upload(self, path: str, content_type: str, body: Callable[[], Iterable[bytes]]) -> Json:
        """Upload a file once; `body` gives its bytes anew for each try."""
        headers = {**_key(), "Content-Type": content_type}
        answer: Json = self._until_answered("POST", path, headers, body=body).json()
        return answer

    def replays(self) -> list[str]:
        """Repeat every POST; return a sentence for each that is not answered as at first."""
        wrong = []
        for request, first in self.kept:
            again = self._http.send(request)
            same = (again.status_code, again.json()) == (first.status_code, first.json())
            if not same or again.headers.get("Idempotency-Replayed") != "true":
                wrong.append(
                    f"{request.url.path} answered a replay {again.status_code}, not as first"
                )
        return wrong

    def _until_answered(
        self,
        method: str,
        path: str,
        headers: Json,
        *,
        json: Json | None = None,
        body: Callable[[], Iterable[bytes]] | None = None,
    ) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            content = body() if body else None
            request = self._http.build_request(
                method, path, headers=headers, json=json, content=content
            )
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                self.troubles.append(type(error).__name__)
            else:
                if answer.is_success:
                    self._keep(request, answer, replayable=method == "POST" and body is None)
                    return answer
                self.troubles.append(_named(answer))
                assert answer.status_code in NOT_NOW, f"{method} {path}: {answer.text}"
            assert time.monotonic() < deadline, f"{method} {path} in vain: {self.troubles[-3:]}"
            time.sleep(0.3)

    def _keep(self, request: httpx.Request, answer: httpx.Response, *, replayable: bool) -> None:
        if replayable:
            self.kept.append((request, answer))


def _key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def _named(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} without a problem"
