"""The two endpoints as this process knows them: one client, one limit, one window each."""

import threading
from dataclasses import dataclass
from functools import lru_cache

from services.llm_worker import loop
from services.llm_worker.ask import Asker
from services.llm_worker.formats import Formats
from services.llm_worker.http_client import HttpClient
from services.llm_worker.limiter import Limiter
from services.llm_worker.retry import Retrier
from services.llm_worker.window import Window
from services.shared.errors import InvalidError
from services.shared.settings import Endpoint, settings


@dataclass(frozen=True)
class Rater:
    """What rating needs of the LLM's endpoint."""

    client: HttpClient
    retrier: Retrier
    asker: Asker
    window: Window
    in_flight: int


@dataclass(frozen=True)
class Embedder:
    """What embedding needs of the embedder's endpoint."""

    client: HttpClient
    retrier: Retrier
    in_flight: int


_MAKING = threading.Lock()  # lru_cache alone lets two threads make one each


def rater() -> Rater:
    """Return the LLM's; InvalidError without a URL, OutgoingRefusedError for a forbidden one."""
    with _MAKING:
        return _rater()


def embedder() -> Embedder:
    """Return the embedder's; errors as for `rater`."""
    with _MAKING:
        return _embedder()


def close() -> None:
    """Close what was made and forget it, so that it is made anew from the settings."""
    with _MAKING:
        for made in (_rater, _embedder):
            if made.cache_info().currsize:
                loop.run(made().client.close())
            made.cache_clear()


@lru_cache(maxsize=1)
def _rater() -> Rater:
    endpoint = settings().llm
    client, retrier = loop.run(_connected(endpoint, "WINNOW_LLM__BASE_URL"))
    window = Window(in_flight=endpoint.in_flight, flush=settings().flush_answers)
    asker = Asker(client, retrier, Formats())
    return Rater(client, retrier, asker, window, endpoint.in_flight)


@lru_cache(maxsize=1)
def _embedder() -> Embedder:
    endpoint = settings().embedder
    client, retrier = loop.run(_connected(endpoint, "WINNOW_EMBEDDER__BASE_URL"))
    return Embedder(client, retrier, endpoint.in_flight)


async def _connected(endpoint: Endpoint, variable: str) -> tuple[HttpClient, Retrier]:
    if not endpoint.base_url:
        raise InvalidError(f"{variable} is not set.", code="ENDPOINT_MISSING")
    client = HttpClient(endpoint, allow=settings().outgoing_allow)
    return client, Retrier(Limiter(endpoint.in_flight), max_attempts=endpoint.max_attempts)
