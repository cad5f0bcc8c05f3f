"""A reader who asks for recommendations all the time, whatever is being killed."""

import threading
import time
from types import TracebackType
from typing import Self

import httpx

ASK_SECONDS = 0.2


class Reader:
    """Asks for one list; `wrong` are answers that were neither the list nor an honest 503."""

    def __init__(self, url: str, key: str, path: str) -> None:
        self.wrong: list[str] = []
        self.served = 0
        self.missed: list[tuple[float, str]] = []  # when, and what came instead of the list
        self._path = path
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=15, trust_env=False)
        self._list = self._http.get(path).raise_for_status().content
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._http.close()

    def _ask(self) -> None:
        while not self._stop.wait(ASK_SECONDS):
            try:
                answer = self._http.get(self._path)
            except httpx.TransportError as error:
                self.missed.append((time.monotonic(), type(error).__name__))
                continue
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                self.missed.append((time.monotonic(), "503"))
                if "Retry-After" not in answer.headers:
                    self.wrong.append("a 503 without Retry-After")
            elif answer.content == self._list:
                self.served += 1
            else:
                self.wrong.append(f"{answer.status_code} {answer.text[:200]}")
