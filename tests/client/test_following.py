"""The client's events: followed over a real socket, resumed without loss or repetition."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripted import Answer, scripted

from winnow_client import ApiError, Client, ConnectionFailedError

PROGRESS = b'event: progress\ndata: {"state": "running", "eta_seconds": 3.5}\n\n'
END = b'id: 9/end\nevent: end\ndata: {"state": "succeeded"}\n\n'


def event(ident: int, kind: str = "stage.ready") -> bytes:
    said = {"id": ident, "kind": kind, "stage": None, "data": {}}
    return f"id: {ident}\nevent: {kind}\ndata: {json.dumps(said)}\n\n".encode()


def stream(*messages: bytes, cut: bool = False) -> Answer:
    body = b"retry: 3000\n\n: still here\n\n" + b"".join(messages)
    return Answer(200, body, {"Content-Type": "text/event-stream"}, cut=cut)


def test_events_are_followed_to_the_end_and_progress_is_told_beside_them() -> None:
    told: list[dict[str, Any]] = []
    with (
        scripted(stream(event(1), PROGRESS, event(2), END)) as server,
        Client(server.url, "k") as client,
    ):
        found = list(client.events("j/1", on_progress=told.append))
    assert [one["id"] for one in found] == [1, 2]
    assert told == [{"state": "running", "eta_seconds": 3.5}]
    (asked,) = server.asked
    assert asked.path == "/v1/jobs/j%2F1/events"
    assert (asked.headers["accept"], asked.headers["last-event-id"]) == ("text/event-stream", "0")


def test_a_broken_a_short_and_a_refused_stream_are_resumed_after_the_last_event() -> None:
    waits: list[float] = []
    half = event(3)[:-5]  # was never whole: it comes again
    answers = (
        stream(event(1), event(2), half, cut=True),
        Answer(hang_up=True),
        Answer(503, {"code": "UNAVAILABLE"}, {"Retry-After": "7"}),
        stream(event(3)),
        Answer(429, {"code": "TOO_MANY_STREAMS"}, {"Retry-After": "10"}),
        stream(event(4), END),
    )
    with scripted(*answers) as server, Client(server.url, "k", sleep=waits.append) as client:
        assert [one["id"] for one in client.events("j", after=0)] == [1, 2, 3, 4]
    assert [asked.headers["last-event-id"] for asked in server.asked] == list("022233")
    assert waits == [0.5, 1.0, 7.0, 0.5, 10.0]


@pytest.mark.parametrize("sign", [PROGRESS, b": still here\n\n"])
def test_streams_that_a_proxy_cuts_while_nothing_happens_are_resumed_as_long_as_they_live(
    sign: bytes,
) -> None:
    quiet = [Answer(200, b"retry: 3000\n\n" + sign) for _ in range(9)]
    with (
        scripted(*quiet, stream(event(1), END)) as server,
        Client(server.url, "k", sleep=lambda _: None) as client,
    ):
        assert [one["id"] for one in client.events("j")] == [1]
    assert len(server.asked) == 10


def test_a_server_that_cuts_every_stream_before_a_word_is_given_up() -> None:
    with (
        scripted(*[Answer(200, b"retry: 3000\n\n")] * 9) as server,
        Client(server.url, "k", sleep=lambda _: None) as client,
        pytest.raises(ConnectionFailedError, match="cut off"),
    ):
        list(client.events("j"))
    assert len(server.asked) == 5


def test_a_reader_may_begin_after_any_event_and_nothing_more_is_no_error() -> None:
    with scripted(stream(END)) as server, Client(server.url, "k") as client:
        assert list(client.events("j", after=8)) == []
    assert server.asked[0].headers["last-event-id"] == "8"


def test_a_refusal_for_good_and_an_ended_key_are_told() -> None:
    closed = b'event: closed\ndata: {"code": "UNAUTHENTICATED", "detail": "The key has ended."}\n\n'
    answers = (Answer(404, {"code": "NOT_FOUND", "detail": "There is no job."}), stream(closed))
    with scripted(*answers) as server, Client(server.url, "k") as client:
        with pytest.raises(ApiError, match="404 NOT_FOUND: There is no job"):
            next(client.events("j"))
        with pytest.raises(ApiError, match="401 UNAUTHENTICATED: The key has ended"):
            next(client.events("j"))


def test_a_server_that_stays_away_is_given_up_after_the_attempts_of_the_retry() -> None:
    with (
        scripted(*[Answer(hang_up=True)] * 9) as server,
        Client(server.url, "k", sleep=lambda _: None) as client,
        pytest.raises(ConnectionFailedError),
    ):
        list(client.events("j"))
    assert len(server.asked) == 5
