"""While the scorer is away, slow or senseless, lists serve on, and no wish is dropped silently."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from services.api.served import scorer as asking
from services.shared.errors import NotFoundError
from tests.scorer.world import World, client
from tests.trainer.shop import N_ITEMS, item

pytestmark = pytest.mark.stack


@pytest.fixture
def away(world: World) -> Iterator[World]:
    """The scorer is gone until the test ends."""
    world.proxy.cut()
    yield world
    world.heal()


def test_published_lists_are_served_as_before(world: World) -> None:
    there = world.recommend("u001", k=10)
    world.proxy.cut()
    try:
        gone = world.recommend("u001", k=10)
    finally:
        world.heal()
    assert (gone.status_code, gone.content) == (200, there.content)
    assert gone.headers["etag"] == there.headers["etag"]


def test_readiness_names_the_scorer_and_stays_ready(world: World) -> None:
    with client(world.api_url, "nobody") as anybody:
        assert _scorer(anybody.get("/health/ready")) == "ok"
        world.proxy.cut()
        try:
            until = time.monotonic() + 60
            while _scorer(ready := anybody.get("/health/ready")) != "away":
                assert time.monotonic() < until  # an answer stands for a second
                time.sleep(0.1)
        finally:
            world.heal()
    assert ready.status_code == 200
    assert ready.json()["status"] == "degraded"


def _scorer(ready: httpx.Response) -> str:
    return str(ready.json()["dependencies"]["scorer"]["status"])


def test_an_unknown_user_gets_what_is_popular(away: World) -> None:
    away.add("newcomer", [item(1), item(3)])
    body = away.recommend("newcomer", k=3).json()
    assert (body["strategy"], body["fallback"]) == ("popular", "popular")
    assert len(body["items"]) == 3


def test_a_filter_is_kept_on_the_published_list(away: World) -> None:
    every = away.recommend("u001", k=10).json()["items"]
    wanted = [one["item_id"] for one in every if int(one["item_id"][1:]) < 20]
    answer = away.recommend("u001", k=10, filter='shelf="left"').json()
    assert (answer["strategy"], answer["fallback"]) == ("model", "list")
    assert [one["item_id"] for one in answer["items"]] == wanted
    assert [one["rank"] for one in answer["items"]] == list(range(1, len(wanted) + 1))
    popular = away.recommend("nobody", k=10, filter='shelf="left"').json()
    assert (popular["strategy"], popular["fallback"]) == ("popular", "popular")
    assert {int(one["item_id"][1:]) < 20 for one in popular["items"]} == {True}


def test_what_no_list_can_keep_is_refused_for_now(away: World) -> None:
    for answer in (
        away.recommend("u001", exclude_seen="false"),
        away.session(items=[item(1)], exclude_seen=False),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        assert "scorer" in answer.json()["detail"]
    with away.client("read") as reader:
        assert reader.get(away.path("/items/i004/similar")).status_code == 503


def test_a_wrong_filter_is_wrong_all_the_same(away: World) -> None:
    answer = away.recommend("u001", filter="color=4")
    assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_ATTRIBUTE")


def test_a_session_gets_what_is_popular_without_its_own_items(away: World) -> None:
    popular = [one["item_id"] for one in away.session(items=["x"], k=5).json()["items"]]
    body = away.session(items=popular[:2], k=5).json()
    assert (body["strategy"], body["fallback"]) == ("popular", "popular")
    assert body["unknown_items"] is None  # nobody could look
    assert not set(popular[:2]) & {one["item_id"] for one in body["items"]}


def test_a_batch_is_served_from_lists_where_there_are_some(away: World) -> None:
    with away.client("read") as reader:
        body = {"user_ids": ["u000", "nobody"], "k": 2}
        rows = reader.post(away.path("/recommendations:batch"), json=body).json()["recommendations"]
    assert [(row["strategy"], row["fallback"]) for row in rows] == [
        ("model", None),
        ("popular", "popular"),
    ]


def test_after_some_failures_nobody_waits_for_it_until_it_has_rested(world: World) -> None:
    now = [0.0]
    one = asking.Scorer(url=f"http://127.0.0.1:{world.proxy.port}", clock=lambda: now[0])
    world.proxy.cut()
    try:
        for _ in range(asking.FAILURES):
            with pytest.raises(asking.ScorerAwayError):
                one._ask("/v1/recommend", _Ask(), _Ask, patience=5, missing=GONE)
        world.proxy.heal()
        with pytest.raises(asking.ScorerAwayError):
            one._ask("/v1/recommend", _Ask(), _Ask, patience=5, missing=GONE)
        assert one._failures == asking.FAILURES  # not even tried
        now[0] += asking.REST_SECONDS
        with pytest.raises(asking.ScorerAwayError):
            one._ask(
                "/v1/recommend", _Ask(), _Ask, patience=5, missing=GONE
            )  # tried: 422, so it is there
        assert one._failures == 0  # tried, and refused with a 422: so it is there
    finally:
        one.close()
        world.heal()


GONE = NotFoundError("thing", "x")


class _Ask(asking.BaseModel):
    """No request that the scorer understands."""


@contextmanager
def _listening(reply: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections on loopback and hand each to `reply`; the value is the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    connection.recv(2**16)
                    reply(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join()


def _answer(body: bytes, *, length: int | None = None) -> Callable[[socket.socket], None]:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


LIES = {
    "no JSON": _answer(b"{nonsense"),
    "a list": _answer(b"[]"),
    "too few answers": _answer(json.dumps({"answers": []}).encode()),
    "a score that is no number": _answer(
        json.dumps(
            {"answers": [{"strategy": "fold_in", "items": [{"item_id": "x", "score": "NaN"}]}]}
        ).encode()
    ),
    "an unknown strategy": _answer(b'{"answers":[{"strategy":"magic","items":[]}]}'),
    "a cut answer": _answer(b'{"answers":', length=1000),
    "another protocol": lambda connection: connection.sendall(b"+PONG\r\n"),
    "silence": lambda _: None,
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_scorer_that_makes_no_sense_is_as_good_as_none(world: World, name: str) -> None:
    with _listening(LIES[name]) as port, _pointed_to(world, port):
        body = world.recommend("nobody in particular", k=3).json()
    assert (body["strategy"], body["fallback"]) == ("popular", "popular")


@pytest.mark.parametrize(("status", "counted"), [(503, 0), (409, 0), (422, 0), (500, 3), (401, 3)])
def test_only_troubles_of_its_own_make_the_api_leave_the_scorer_alone(
    world: World, status: int, counted: int
) -> None:
    head = f"HTTP/1.1 {status} Said\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
    reply = lambda connection: connection.sendall(head.encode())  # noqa: E731 - one line
    with _listening(reply) as port, _pointed_to(world, port):
        for _ in range(3):
            assert world.recommend("nobody in doubt", k=3).json()["strategy"] == "popular"
        assert world.routes.state.on_demand._scorer._failures == counted


def test_a_slow_scorer_is_not_waited_for(world: World) -> None:
    let_go = threading.Event()
    with (
        _listening(lambda _: (let_go.wait(30), None)[1]) as port,
        _pointed_to(world, port, patience=0.3),
    ):
        body = world.recommend("nobody in a hurry", k=3).json()
        known = world.recommend("u001", k=3).json()
        let_go.set()
    assert (body["strategy"], known["strategy"]) == ("popular", "model")


@contextmanager
def _pointed_to(world: World, port: int, *, patience: float = 20) -> Iterator[None]:
    """Let the api of the test look for the scorer at another port."""
    on_demand = world.routes.state.on_demand
    own = on_demand._scorer
    on_demand._scorer = asking.Scorer(url=f"http://127.0.0.1:{port}", patience=patience)
    try:
        yield
    finally:
        on_demand._scorer.close()
        on_demand._scorer = own


def test_no_wish_is_forgotten_between_two_items(world: World) -> None:
    assert len(world.recommend("nobody", k=10, filter=f"price<{N_ITEMS}").json()["items"]) == 10
