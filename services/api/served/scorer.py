"""Asks the scorer, briefly: while it is away or slow nobody waits for it, and lists stand in."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Literal, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from services.shared.errors import NotFoundError, UnavailableError
from services.shared.log import get_logger
from services.shared.scoring import Ask, AskSimilar, Reply, SimilarReply
from services.shared.settings import settings

log = get_logger(__name__)

FAILURES = 3
"""In a row, after which the scorer is left alone."""

REST_SECONDS = 3.0
"""Until one request tries again; the others do not wait for it."""

AT_ONCE = 16
"""Requests of this process at the scorer: the threads of the other routes are not for waiting."""

SECONDS_PER_QUESTION = 0.05
"""Of patience, for each user of a batch beyond the first."""

BROKEN = {401, 500, 502, 504}
"""Statuses of a scorer that has troubles of its own, whatever it is asked."""

MAX_ANSWER = 128 * 2**20  # bytes: 1,000 lists of 1,000 items

Said = TypeVar("Said", bound=BaseModel)


class ScorerAwayError(UnavailableError):
    """The scorer says nothing: there is none, or it is down, slow, full or makes no sense."""

    def __init__(self) -> None:
        super().__init__("The scorer", retry_after=REST_SECONDS)


class Scorer:
    """The scorer as this process sees it; any thread may ask.

    The arguments are for tests; left out, the settings say where it is and how long to wait.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        patience: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = settings().scorer_url if url is None else url
        self._patience = settings().scorer_timeout_seconds if patience is None else patience
        self._clock = clock
        self._lock = Lock()
        self._room = BoundedSemaphore(AT_ONCE)
        self._failures = 0
        self._rests_until = 0.0
        self._client: httpx.Client | None = None

    def recommend(self, ask: Ask) -> Reply:
        """Return one list a question; ScorerAwayError where there is no answer in time.

        NotFoundError where the scorer sees no such dataset or model.
        """
        patience = self._patience + SECONDS_PER_QUESTION * (len(ask.questions) - 1)
        gone = NotFoundError("model", ask.model_id)  # within this very second
        reply = self._ask("/v1/recommend", ask, Reply, patience=patience, missing=gone)
        if len(reply.answers) != len(ask.questions):
            raise self._misunderstood("as many answers as questions")
        return reply

    def similar(self, ask: AskSimilar) -> SimilarReply:
        """Return what is like an item; errors as `recommend`, NotFoundError also for the item."""
        unknown = NotFoundError("item with a vector", ask.item_id)
        return self._ask("/v1/similar", ask, SimilarReply, patience=self._patience, missing=unknown)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def health(self) -> Literal["ok", "away", "not configured"]:
        """Say whether it answers now."""
        if not self._url:
            return "not configured"
        try:
            answer = self._connected().get("/health", timeout=1.0)
        except httpx.HTTPError:
            return "away"
        return "ok" if answer.status_code == httpx.codes.OK else "away"

    def _ask(
        self,
        path: str,
        ask: BaseModel,
        kind: type[Said],
        *,
        patience: float,
        missing: NotFoundError,
    ) -> Said:
        if not self._url:
            raise ScorerAwayError
        with self._turn():
            try:
                answer = self._post(path, ask, patience)
            except httpx.HTTPError as error:
                self._failed(type(error).__name__)
                raise ScorerAwayError from error
            if answer.status_code == httpx.codes.NOT_FOUND:
                self._answered()
                raise missing
            return self._read(answer, kind)

    def _post(self, path: str, ask: BaseModel, patience: float) -> httpx.Response:
        """Return the whole answer within `patience` seconds; httpx counts each read by itself."""
        until = self._clock() + patience
        body, headers = ask.model_dump_json().encode(), _headers()
        with self._connected().stream(
            "POST", path, content=body, headers=headers, timeout=patience
        ) as answer:
            raw = bytearray()
            for piece in answer.iter_bytes():
                raw += piece
                if len(raw) > MAX_ANSWER or self._clock() > until:
                    raise httpx.ReadTimeout("the answer is too long, or too slow")
            return httpx.Response(answer.status_code, content=bytes(raw))

    def _read(self, answer: httpx.Response, kind: type[Said]) -> Said:
        if answer.status_code != httpx.codes.OK:
            # one model's damaged files, or a full house, are no reason to leave all others alone
            if answer.status_code in BROKEN:
                self._failed(f"HTTP {answer.status_code}")
            else:
                self._answered()
                log.warning("scorer_refused", status=answer.status_code)
            raise ScorerAwayError
        try:
            said = kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._misunderstood(kind.__name__) from error
        self._answered()
        return said

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold one of the places; ScorerAwayError at once where there is none, or at rest."""
        with self._lock:
            now = self._clock()
            if self._failures >= FAILURES:
                if now < self._rests_until:
                    raise ScorerAwayError
                self._rests_until = now + REST_SECONDS  # this request tries, the next ones rest
        if not self._room.acquire(blocking=False):
            raise ScorerAwayError
        try:
            yield
        finally:
            self._room.release()

    def _failed(self, why: str) -> None:
        with self._lock:
            self._failures += 1
            self._rests_until = self._clock() + REST_SECONDS
        log.warning("scorer_away", error=why)

    def _answered(self) -> None:
        with self._lock:
            self._failures = 0

    def _misunderstood(self, wanted: str) -> ScorerAwayError:
        self._failed(f"not {wanted}")
        return ScorerAwayError()

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                limits = httpx.Limits(max_connections=AT_ONCE + 1)
                self._client = httpx.Client(
                    base_url=self._url,
                    limits=limits,
                    trust_env=False,
                    follow_redirects=False,
                )
            return self._client


def _headers() -> dict[str, str]:
    known = structlog.contextvars.get_contextvars()
    return {
        "Authorization": f"Bearer {settings().require('scorer_key')}",
        "Content-Type": "application/json",
        "X-Request-Id": str(known.get("request_id", "")),
    }
