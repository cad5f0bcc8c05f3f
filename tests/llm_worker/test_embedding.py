"""Every text gets one vector, once, whatever the endpoint does meanwhile."""

import struct
import time

import pytest

from services.llm_worker import retry
from services.shared.db.repos import embeddings, stages
from services.shared.db.session import unit_of_work
from services.shared.llm.cache_key import text_key
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from tests.fakes.llm import Call, FakeLlm, Wire, refused, vector_of
from tests.llm_worker.shelf import N_ITEMS, N_USERS, Shelf, item, texts

pytestmark = pytest.mark.stack

WORDS = [said for said in texts().values() if said is not None]


def _vectors(shelf: Shelf) -> dict[bytes, bytes]:
    with unit_of_work(shelf.project_id) as session:
        return embeddings.load(session, "encoder", [text_key(said) for said in WORDS])


def test_every_text_has_its_vector_as_float16(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run()
    shelf.do(Task.EMBED, run_id)
    assert len(WORDS) == N_USERS - 1 + N_ITEMS  # one user has no text
    found = _vectors(shelf)
    assert {key: list(struct.unpack("<8e", raw)) for key, raw in found.items()} == {
        text_key(said): vector_of(said) for said in WORDS
    }
    stage = shelf.stage(run_id, StageName.EMBED)
    assert stage.state == "succeeded"
    assert stage.figures == {
        "texts": 21,
        "embedded": 21,
        "cached": 0,
        "failed": 0,
        "width": 8,
        "usage": {"encoder": {"requests": 2, "prompt_tokens": 21, "completion_tokens": 0}},
    }
    assert shelf.stage(run_id, StageName.ALIGN).state == "ready"
    assert {call.authorization for call in llm.calls} == {"Bearer sk-of-a-test"}


def test_a_text_is_embedded_once_whatever_asks_for_it(shelf: Shelf, llm: FakeLlm) -> None:
    # user 0 and item 0 say the same: one text
    first = shelf.start_run(words={item(0): "reads about subject 0"})
    shelf.do(Task.EMBED, first)
    sent = [text for call in llm.calls for text in call.body["input"]]
    assert len(sent) == len(set(sent)) == 20
    second = shelf.start_run(words={item(0): "reads about subject 0", item(1): "a new text"})
    shelf.do(Task.EMBED, second)
    assert [call.body["input"] for call in llm.calls[2:]] == [["a new text"]]
    figures = shelf.stage(second, StageName.EMBED).figures
    assert (figures["embedded"], figures["cached"], figures["failed"]) == (1, 20, 0)


def test_a_text_that_is_refused_is_found_and_left_out(shelf: Shelf, llm: FakeLlm) -> None:
    llm.script = lambda call: refused(400) if "book 5" in call.prompt.split("\n") else None
    run_id = shelf.start_run()
    shelf.do(Task.EMBED, run_id)
    figures = shelf.stage(run_id, StageName.EMBED).figures
    assert (figures["texts"], figures["embedded"], figures["failed"]) == (21, 20, 1)
    assert set(_vectors(shelf)) == {text_key(said) for said in WORDS} - {text_key("book 5")}


def test_an_endpoint_that_refuses_the_key_fails_the_run(shelf: Shelf, llm: FakeLlm) -> None:
    llm.script = lambda _: refused(401)
    run_id = shelf.start_run()
    shelf.do(Task.EMBED, run_id)
    error = shelf.stage(run_id, StageName.EMBED).error
    assert error is not None
    assert error["code"] == "EMBEDDER_REFUSED"
    assert "HTTP status 401" in error["detail"]
    assert len(llm.calls) == 1


def test_an_embedder_that_is_away_is_waited_for(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    llm.script = lambda _: refused(503) if len(llm.calls) <= 8 else None
    run_id = shelf.start_run()
    shelf.do(Task.EMBED, run_id)  # six attempts make one try, and then a knock
    assert len(llm.calls) == 7
    for state in ("ready", "succeeded"):
        shelf.let_time_pass(run_id)
        shelf.do(Task.EMBED, run_id)  # begins with a knock: the eighth call, then the ninth
        assert shelf.stage(run_id, StageName.EMBED).state == state
    assert shelf.attempts(run_id) == {"server_error": 8, "ok": 3}
    assert shelf.stage(run_id, StageName.EMBED).attempts == 1  # what was in vain is none


def test_a_text_that_only_meets_errors_fails_the_run_in_the_end(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("WINNOW_STAGE_ATTEMPTS", "2")
    monkeypatch.setenv("WINNOW_RETRY_FIRST_SECONDS", "0.1")
    settings.cache_clear()
    llm.script = lambda call: refused(500) if "book 5" in call.prompt.split("\n") else None
    run_id = shelf.start_run()
    shelf.do(Task.EMBED, run_id)
    error = shelf.stage(run_id, StageName.EMBED).error
    assert error is not None
    assert error["code"] == "UNAVAILABLE"
    assert shelf.attempts(run_id)["server_error"] == 12


def test_a_cancelled_run_sits_out_no_pause_of_the_embedder(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_LEASE_SECONDS", "1")  # how soon a cancel is noticed
    settings.cache_clear()
    run_id = shelf.start_run()

    def limited(_: Call) -> Wire:
        with unit_of_work(shelf.project_id) as session:
            stages.cancel_run(session, run_id)
        return refused(429, retry_after="60")

    llm.script = limited
    began = time.monotonic()
    shelf.do(Task.EMBED, run_id)
    assert time.monotonic() - began < 30  # of the 60 that were asked for
    assert shelf.stage(run_id, StageName.EMBED).state == "cancelled"
    assert shelf.attempts(run_id) == {"rate_limited": len(llm.calls)}


def test_a_stage_whose_token_is_old_keeps_no_vector(shelf: Shelf, llm: FakeLlm) -> None:
    def steal(call: Call) -> None:
        if call is llm.calls[0]:
            shelf.execute("UPDATE stages SET lease_token = lease_token + 1 WHERE name = 'embed'")

    llm.script = steal
    run_id = shelf.start_run()
    shelf.do(Task.EMBED, run_id)
    assert _vectors(shelf) == {}
    assert shelf.stage(run_id, StageName.EMBED).state == "running"  # the other's
