"""A run is rated: every question asked once, kept once, and found again by the next run."""

import threading
from collections import Counter

import pytest

from services.llm_worker import retry
from services.shared.db.repos import batches, stages, usage
from services.shared.db.session import unit_of_work
from services.shared.errors import LeaseLostError, RetryLaterError
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from tests.fakes.llm import Call, FakeLlm, Wire, honest, label_of, refused, said
from tests.llm_worker.shelf import Shelf, item, user

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little between attempts."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)


def test_every_view_of_every_pair_is_asked_once_and_kept(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=60)
    shelf.rate(run_id)
    labels = shelf.labels(run_id)
    assert len(labels) == len(llm.chats()) == 120  # 60 pairs, two views
    assert set(shelf.ratings().values()) == {1}
    assert sorted(labels.values()) == sorted(label_of(call.prompt) for call in llm.chats())
    assert shelf.attempts(run_id) == {"ok": 120}
    stage, progress = shelf.stage(run_id, StageName.RATE), {"total": 120, "completed": 120}
    assert stage.state == "succeeded"
    assert stage.figures == {
        "pairs": 60,
        "calls": 120,
        "rated": 120,
        "cached": 0,
        "unparsed": 0,
        "usage": {"rater": {"requests": 120, "prompt_tokens": 12_000, "completion_tokens": 1_200}},
    }
    assert shelf.job(run_id).progress == stage.progress == {**progress, "failed": 0, "cached": 0}
    assert shelf.stage(run_id, StageName.REFINE).state == "ready"
    assert llm.most_at_once <= 8


def test_a_prompt_holds_the_texts_of_its_view_and_a_word_for_a_missing_one(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = shelf.start_run(pairs=120)
    shelf.rate(run_id)
    # user 9 has no text: 12 pairs of the user view say so
    assert sum("(no text)" in call.prompt for call in llm.chats()) == 12
    shelves = [call.prompt for call in llm.chats() if ":liked>>>" in call.prompt]
    assert len(shelves) == 120
    first = next(
        prompt for prompt in shelves if prompt.count("book 0\n") == 1 and "book 3" in prompt
    )
    for n in range(4):
        assert f"book {n}\n" in first


def test_a_second_run_asks_nothing(shelf: Shelf, llm: FakeLlm) -> None:
    first = shelf.start_run(pairs=60)
    shelf.rate(first)
    second = shelf.start_run(pairs=60)
    shelf.rate(second)
    assert len(llm.chats()) == 120
    assert shelf.labels(second) == shelf.labels(first)
    figures = shelf.stage(second, StageName.RATE).figures
    assert (figures["rated"], figures["cached"], figures["usage"]) == (120, 120, {})


def test_a_changed_text_asks_only_its_pairs_again(shelf: Shelf, llm: FakeLlm) -> None:
    shelf.rate(shelf.start_run(pairs=60))
    before = len(llm.chats())
    changed = shelf.start_run(pairs=60, words={user(0): "now reads about the sea"})
    shelf.rate(changed)
    assert len(llm.chats()) - before == 12  # user 0 is in 12 pairs, and only the user view reads it
    assert shelf.stage(changed, StageName.RATE).figures["cached"] == 108
    assert shelf.ratings()[user(0), item(0), "user"] == 2  # of two contents
    assert shelf.ratings()[user(0), item(0), "item"] == 1


def test_a_stage_tells_what_its_own_calls_used(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=20)
    embedding = usage.Attempt(
        kind="embedding",
        model="rater",  # one model for both
        status="ok",
        attempt=1,
        prompt_tokens=7,
        completion_tokens=0,
        latency_ms=1.0,
    )
    with unit_of_work(shelf.project_id) as session:
        usage.add(session, [embedding], project_id=shelf.project_id, run_id=run_id)
    shelf.rate(run_id)
    used = shelf.stage(run_id, StageName.RATE).figures["usage"]
    assert used == {"rater": {"requests": 40, "prompt_tokens": 4_000, "completion_tokens": 400}}


def test_a_run_without_candidates_has_nothing_to_rate(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=0)
    shelf.do(Task.RATE, run_id)
    stage = shelf.stage(run_id, StageName.RATE)
    assert (stage.state, stage.figures["calls"]) == ("succeeded", 0)
    assert llm.calls == []


def test_a_reply_that_never_parses_is_recorded_and_asked_again_by_the_next_run(
    shelf: Shelf, llm: FakeLlm
) -> None:
    llm.script = lambda call: said("no") if "subject 3" in call.prompt else None
    run_id = shelf.start_run(pairs=60)
    shelf.rate(run_id)
    assert Counter(shelf.labels(run_id).values())["unparsed"] == 12  # the user view of user 3
    assert shelf.attempts(run_id) == {"ok": 108, "unparsable": 36}  # three tries each
    assert shelf.stage(run_id, StageName.RATE).figures["unparsed"] == 12
    llm.script = lambda _: None
    again = shelf.start_run(pairs=60)
    shelf.rate(again)
    assert "unparsed" not in shelf.labels(again).values()
    assert shelf.attempts(again) == {"ok": 12}
    assert set(shelf.ratings().values()) == {1}  # the parsed one took its place


@pytest.mark.parametrize(("offered", "refusals"), [("json_object", 1), (None, 2)])
def test_structured_output_falls_back_to_what_the_endpoint_offers(
    shelf: Shelf, llm: FakeLlm, offered: str | None, refusals: int
) -> None:
    ladder = ["json_schema", "json_object", None]
    offers = ladder[ladder.index(offered) :]
    llm.script = lambda call: None if call.format in offers else refused(400)
    run_id = shelf.start_run(pairs=60)
    shelf.rate(run_id)
    attempts = shelf.attempts(run_id)
    assert attempts["ok"] == 120
    # each of the 8 calls that were under way before the first answer may have climbed down
    assert refusals <= attempts["refused"] <= 8 * refusals
    assert all(call.format == offered for call in llm.chats()[8 * (refusals + 1) :])


def test_a_batch_whose_token_is_old_writes_nothing(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)

    def steal(call: Call) -> Wire:
        if call is llm.chats()[0]:
            shelf.execute("UPDATE rating_batches SET lease_token = lease_token + 1")
        return honest(call)

    llm.script = steal
    shelf.do(Task.RATE_BATCH, run_id)
    assert len(llm.chats()) >= 1
    assert shelf.labels(run_id) == {}
    assert shelf.attempts(run_id) == {}
    with unit_of_work(shelf.project_id) as session:
        assert batches.counts(session, run_id) == {"running": 1}  # the other's


def test_a_cancelled_run_stops_and_keeps_what_was_paid(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=120)
    shelf.do(Task.RATE, run_id)
    llm.latency = 0.05

    def cancel(call: Call) -> None:
        if call is llm.chats()[0]:
            with unit_of_work(shelf.project_id) as session:
                stages.cancel_run(session, run_id)

    llm.script = cancel
    shelf.do(Task.RATE_BATCH, run_id)
    # the first flush tells, after flush_seconds: 0.5 s of 8 calls of 50 ms, and those under way
    assert len(llm.chats()) <= 8 * (0.5 / 0.05 + 2)
    assert len(shelf.labels(run_id)) == len(llm.chats()) < 240
    assert shelf.stage(run_id, StageName.RATE).state == "cancelled"
    assert shelf.job(run_id).state == "cancelled"
    with unit_of_work(shelf.project_id) as session:
        assert batches.counts(session, run_id) == {"cancelled": 6}


def test_a_key_that_is_refused_fails_the_run_with_the_reason(shelf: Shelf, llm: FakeLlm) -> None:
    llm.script = lambda _: refused(401)
    run_id = shelf.start_run(pairs=60)
    shelf.rate(run_id)
    error = shelf.stage(run_id, StageName.RATE).error
    assert error is not None
    assert error["code"] == "LLM_REFUSED"
    assert "HTTP status 401" in error["detail"]
    assert "WINNOW_LLM__API_KEY" in error["detail"]
    assert shelf.job(run_id).state == "failed"
    assert len(llm.chats()) <= 8  # nobody else was asked in vain


def test_an_endpoint_that_is_away_costs_no_attempt_of_the_batch(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_STAGE_ATTEMPTS", "1")
    settings.cache_clear()
    llm.script = lambda _: Wire(200, b"", cut=True)
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)
    for _ in range(2):
        shelf.do(Task.RATE_BATCH, run_id)
        shelf.let_time_pass(run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "running"
    assert set(shelf.attempts(run_id)) == {"connection"}
    llm.script = lambda _: None
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"


def test_a_question_that_only_meets_errors_fails_the_run_in_the_end(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_STAGE_ATTEMPTS", "2")
    settings.cache_clear()
    llm.script = lambda call: refused(500) if "subject 1\n" in call.prompt else None
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)
    with pytest.raises(RetryLaterError):
        shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "running"
    shelf.do(Task.RATE_BATCH, run_id)
    error = shelf.stage(run_id, StageName.RATE).error
    assert error is not None
    assert error["code"] == "LLM_UNAVAILABLE"


def test_a_batch_that_always_kills_its_worker_is_buried(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_STAGE_ATTEMPTS", "2")
    settings.cache_clear()
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)
    for _ in range(2):
        with unit_of_work(shelf.project_id) as session:
            assert batches.claim(session, run_id) is not None
        shelf.execute("UPDATE rating_batches SET lease_until = now() - interval '1 second'")
    shelf.do(Task.RATE_BATCH, run_id)
    error = shelf.stage(run_id, StageName.RATE).error
    assert error is not None
    assert error["code"] == "BATCH_KILLED"
    assert llm.calls == []


def test_two_batches_that_end_together_end_the_stage_once(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=40)
    shelf.do(Task.RATE, run_id)
    both = [threading.Thread(target=shelf.do, args=(Task.RATE_BATCH, run_id)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    assert len(llm.chats()) == len(shelf.labels(run_id)) == 80
    assert llm.most_at_once <= 8  # the limit is the process', not the batch's


def test_a_private_address_that_is_not_listed_is_never_called(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_OUTGOING_ALLOW", "")
    settings.cache_clear()
    run_id = shelf.start_run(pairs=20)
    shelf.rate(run_id)
    error = shelf.stage(run_id, StageName.RATE).error
    assert error is not None
    assert error["code"] == "OUTGOING_REFUSED"
    assert llm.calls == []


def test_a_lost_lease_is_no_error_of_the_doorway(shelf: Shelf) -> None:
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)
    with unit_of_work(shelf.project_id) as session:
        lease = batches.claim(session, run_id)
    assert lease is not None
    shelf.do(Task.RATE_BATCH, run_id)  # all batches are held: nothing to do
    shelf.execute("UPDATE rating_batches SET lease_token = lease_token + 1")
    with pytest.raises(LeaseLostError), unit_of_work(shelf.project_id) as session:
        batches.finish(session, lease)
