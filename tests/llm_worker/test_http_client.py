"""One attempt, told as it went; the endpoint's words on when to come back are obeyed."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from services.llm_worker.http_client import HttpClient, kind_of, retry_after
from services.llm_worker.limiter import Limiter, StoppedError
from services.llm_worker.retry import Retrier
from services.llm_worker.wire import read_vectors
from services.shared.errors import OutgoingRefusedError
from services.shared.llm.protocol import ChatReply, ChatRequest
from services.shared.settings import Endpoint
from tests.fakes.llm import FakeLlm, Wire, refused

REQUEST = ChatRequest(messages=[{"role": "user", "content": "?"}], model="rater")


def _ask(url: str, *, allow: str, timeout: float = 5.0) -> ChatReply:
    async def once() -> ChatReply:
        endpoint = Endpoint(base_url=url, api_key=SecretStr("sk-x"), timeout_seconds=timeout)
        client = HttpClient(endpoint, allow={allow})
        try:
            return await client.chat(REQUEST)
        finally:
            await client.close()

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),  # RFC 9110, 5.6.7
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after(header, now=datetime(2026, 11, 20, 12, tzinfo=UTC)) == seconds


def test_only_passing_statuses_are_passing() -> None:
    assert {
        status: kind_of(status) for status in (200, 302, 400, 401, 408, 409, 429, 500, 529)
    } == {
        200: "ok",
        302: "refused",
        400: "refused",
        401: "refused",
        408: "server_error",
        409: "server_error",
        429: "rate_limited",
        500: "server_error",
        529: "server_error",
    }


def test_a_redirect_is_not_followed() -> None:
    with FakeLlm.serving() as llm:
        llm.script = lambda _: Wire(307, b"", {"Location": f"{llm.url}/elsewhere"})
        reply = _ask(llm.url, allow=llm.address)
        assert (reply.status, reply.http_status, len(llm.calls)) == ("refused", 307, 1)


def test_a_slow_answer_is_a_timeout_and_a_closed_port_a_connection(free_port: int) -> None:
    with FakeLlm.serving() as llm:
        llm.latency = 1.0
        assert _ask(llm.url, allow=llm.address, timeout=0.1).status == "timeout"
    away = f"127.0.0.1:{free_port}"
    assert _ask(f"http://{away}/v1", allow=away).status == "connection"


def test_a_rate_limit_tells_how_long() -> None:
    with FakeLlm.serving() as llm:
        llm.script = lambda _: refused(429, retry_after="9")
        reply = _ask(llm.url, allow=llm.address)
    assert (reply.status, reply.retry_after, reply.text) == ("rate_limited", 9.0, None)


def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    with FakeLlm.serving() as llm, pytest.raises(OutgoingRefusedError):
        _ask(llm.url, allow="127.0.0.1:1")
    assert llm.calls == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"data": [{"index": 0, "embedding": [1.0]}]}',  # one is missing
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1]}]}',
    ],
)
def test_vectors_that_are_not_whole_are_none(raw: bytes) -> None:
    assert read_vectors(raw, count=2).vectors is None


def test_vectors_stand_in_the_order_of_their_index() -> None:
    raw = b'{"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]}'
    assert read_vectors(raw, count=2).vectors == [[1.0], [2.0]]


def test_a_pause_holds_back_every_attempt() -> None:
    async def waits() -> list[float]:
        limiter, began = Limiter(4), time.monotonic()
        limiter.pause(0.2)
        limiter.pause(0.05)  # a shorter one changes nothing

        async def attempt() -> float:
            async with limiter.slot(lambda: False):
                return time.monotonic() - began

        return await asyncio.gather(*(attempt() for _ in range(8)))

    assert min(asyncio.run(waits())) >= 0.2


def test_who_is_told_to_stop_sits_out_no_pause_and_pays_no_further_call() -> None:
    made: list[ChatReply] = []

    async def limited() -> ChatReply:
        stop.append(time.monotonic() + 0.3)  # a cancel that comes while the pause runs
        return ChatReply(
            text=None,
            usage=None,
            latency_ms=1.0,
            status="rate_limited",
            http_status=429,
            retry_after=60.0,
        )

    async def ask() -> None:
        retrier = Retrier(Limiter(1), max_attempts=9)
        await retrier.call(limited, made, lambda: bool(stop) and time.monotonic() > stop[0])

    stop: list[float] = []
    began = time.monotonic()
    with pytest.raises(StoppedError):
        asyncio.run(ask())
    assert len(made) == 1
    assert time.monotonic() - began < 30  # of the 60 that were asked for
