"""Every line is one JSON object with its ids, and no secret or profile is in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from services.shared.log import bound, configure, get_logger


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("api", level="INFO", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def events(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_event_carries_service_level_time_and_the_bound_ids(lines: io.StringIO) -> None:
    with bound(request_id="r-1", run_id=7):
        get_logger().info("run_started", pairs=3)
    get_logger().info("idle")
    first, second = events(lines)
    assert first["event"] == "run_started"
    assert (first["service"], first["level"], first["pairs"]) == ("api", "info", 3)
    assert (first["request_id"], first["run_id"]) == ("r-1", "7")
    assert str(first["timestamp"]).endswith("Z")
    assert "request_id" not in second


def test_the_standard_library_goes_the_same_way(lines: io.StringIO) -> None:
    with bound(task_id="t-1"):
        logging.getLogger("uvicorn.access").info("%s - %d", "GET /v1", 200)
    (event,) = events(lines)
    assert (event["event"], event["task_id"]) == ("GET /v1 - 200", "t-1")
    assert event["logger"] == "uvicorn.access"


def test_what_is_below_the_level_is_not_written(lines: io.StringIO) -> None:
    get_logger().debug("detail")
    logging.getLogger("celery").debug("detail")
    assert lines.getvalue() == ""


def test_a_level_that_does_not_exist_is_refused() -> None:
    before = logging.getLogger().handlers[:]
    with pytest.raises(ValueError, match="LOUD"):
        configure("api", level="loud")
    assert logging.getLogger().handlers == before


SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "fields",
    [
        {"authorization": f"Bearer {SECRET}"},
        {"headers": {"Authorization": SECRET, "Cookie": SECRET}},
        {"api_key": SECRET},
        {"operator_key": SECRET},
        {"settings": [{"llm": {"api_key": SECRET}}]},
        {"url": f"postgresql+psycopg://winnow_app:{SECRET}@127.0.0.1:5432/w"},
        {"url": f"redis://:{SECRET}@127.0.0.1:6379/0"},
        {"url": f"https://x.example/v1?model=a&api_key={SECRET}&b=1"},
        {"note": f"called with Bearer {SECRET} today"},
        {"note": f"key wn_ab12_{SECRET} is revoked"},
        {"note": f"sk-{SECRET}"},
        {"password": SECRET.encode()},
        {"token": SECRET},
        {"text": SECRET},
        {"item": {"profile": SECRET, "messages": [{"content": SECRET}]}},
        {"error": ValueError(f"redis://:{SECRET}@h")},
    ],
)
def test_no_secret_and_no_profile_is_written(lines: io.StringIO, fields: dict[str, object]) -> None:
    get_logger().info("event", **fields)
    assert "event" in lines.getvalue()
    assert SECRET not in lines.getvalue()


def test_a_traceback_is_written_without_the_password_in_it(lines: io.StringIO) -> None:
    def reach() -> None:
        raise ConnectionError(f"cannot reach redis://:{SECRET}@127.0.0.1:6379")

    try:
        reach()
    except ConnectionError:
        get_logger().exception("broker_away")
        logging.getLogger("kombu").exception("broker away")
    ours, theirs = events(lines)
    for event in (ours, theirs):
        assert "ConnectionError: cannot reach redis://:***@127.0.0.1" in str(event["exception"])
    assert SECRET not in lines.getvalue()


def test_what_is_no_secret_stays(lines: io.StringIO) -> None:
    kept = {"prompt_tokens": 12, "lease_token": 4, "idempotency": "k", "url": "http://h:80/a?k=1"}
    get_logger().info("event", **kept, text="abc")
    (event,) = events(lines)
    assert {name: event[name] for name in kept} == kept
    assert event["text"] == "<3 characters>"
