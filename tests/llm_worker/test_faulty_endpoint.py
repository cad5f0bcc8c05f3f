"""A fifth of an endpoint's answers is faulty, in every way there is; no rating differs for it."""

import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from uuid import UUID

import pytest

from services.llm_worker import retry
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from tests.fakes.llm import LABELS, Call, FakeLlm, Wire, honest, refused, said
from tests.llm_worker.shelf import Shelf

pytestmark = pytest.mark.stack

PAIRS = 60
TIMEOUT = 1.0  # seconds
IN_A_ROW = 2

Fault = Callable[[Call], Wire]


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little between attempts, and not long for an answer."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("WINNOW_LLM__TIMEOUT_SECONDS", str(TIMEOUT))


def _content(call: Call) -> str:
    return str(json.loads(honest(call).body)["choices"][0]["message"]["content"])


def _on(seconds: float) -> str:
    """Return the date so many seconds from now, as HTTP writes it: whole seconds, cut."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class _Mixed:
    """Gives each call the answer to a call before it, as a proxy out of step does."""

    def __init__(self) -> None:
        self._before: Call | None = None

    def __call__(self, call: Call) -> Wire:
        other, self._before = self._before, call
        if other is None or other.prompt == call.prompt:
            return refused(503)
        return honest(other)


FAULTS: dict[str, tuple[Fault, str]] = {
    "a short delay": (lambda call: _late(call, 0.05), "ok"),
    "a delay beyond patience": (lambda call: _late(call, TIMEOUT + 0.5), "timeout"),
    "429 with seconds": (lambda _: refused(429, retry_after="0"), "rate_limited"),
    "429 with a date": (lambda _: refused(429, retry_after=_on(0.5)), "rate_limited"),
    "429 without a word": (lambda _: refused(429), "rate_limited"),
    "500": (lambda _: refused(500), "server_error"),
    "502": (lambda _: Wire(502, b"<html>Bad gateway</html>"), "server_error"),
    "503": (lambda _: refused(503, retry_after="0"), "server_error"),
    "408": (lambda _: refused(408), "server_error"),
    "dropped before the answer": (lambda _: Wire(200, b"", cut=True), "connection"),
    "dropped within the answer": (
        lambda call: Wire(200, honest(call).body, cut_within=True),
        "connection",
    ),
    "no JSON": (lambda _: Wire(200, b"<html>OK</html>"), "unparsable"),
    "truncated JSON": (lambda call: Wire(200, honest(call).body[:-20]), "unparsable"),
    "no choices": (lambda _: Wire(200, b'{"choices": []}'), "unparsable"),
    "a null answer": (lambda _: said(None), "unparsable"),
    "prose": (lambda _: said("Sure! I would say High."), "unparsable"),
    "a truncated answer": (lambda call: said(_content(call)[:-9]), "unparsable"),
    "a label outside the three": (
        lambda call: said(json.dumps({**json.loads(_content(call)), "label": "Maybe"})),
        "unparsable",
    ),
    "an answer without its reference": (
        lambda call: said(json.dumps({"reason": "Valid.", "label": _wrong(call)})),
        "unparsable",
    ),
    "an answer for another pair": (_Mixed(), "unparsable"),
}


def _late(call: Call, seconds: float) -> Wire:
    wire = honest(call)
    return Wire(wire.status, wire.body, delay=seconds)


def _wrong(call: Call) -> str:
    right = json.loads(_content(call))["label"]
    return next(label for label in LABELS if label != right)


def _a_fifth(llm: FakeLlm, kinds: list[Fault]) -> Callable[[Call], Wire | None]:
    """Return a script that spoils a fifth of the attempts, no more than two of one in a row."""
    rows: dict[str, int] = {}

    def spoil(call: Call) -> Wire | None:
        draw = hashlib.sha256(f"{call.prompt}{call.attempt}".encode()).digest()
        if rows.get(call.prompt, 0) == IN_A_ROW or draw[0] >= 51:  # 51 of 256 are 20 %
            rows[call.prompt] = 0
            return None
        rows[call.prompt] = rows.get(call.prompt, 0) + 1
        return kinds[draw[1] % len(kinds)](call)

    llm._attempts.clear()
    return spoil


@pytest.mark.parametrize("kind", [*FAULTS, "all together"])
def test_a_fifth_of_faults_changes_no_label_and_each_attempt_is_counted(
    shelf: Shelf, llm: FakeLlm, kind: str
) -> None:
    clean = shelf.start_run(pairs=PAIRS)
    shelf.rate(clean)
    asked = len(llm.chats())
    kinds = FAULTS.values() if kind == "all together" else [FAULTS[kind]]
    faulty = Shelf.open()  # another dataset: nothing is found in the cache
    llm.script = _a_fifth(llm, [fault for fault, _ in kinds])
    run_id = faulty.start_run(pairs=PAIRS)
    _rate(faulty, run_id)
    assert faulty.labels(run_id) == shelf.labels(clean)
    assert set(faulty.ratings().values()) == {1}
    assert faulty.job(run_id).state == "running"
    attempts = faulty.attempts(run_id)
    assert attempts["ok"] == 2 * PAIRS
    assert set(attempts) >= {told for _, told in kinds}
    assert attempts.total() == len(llm.chats()) - asked  # one row an attempt, no more, no less


def _rate(shelf: Shelf, run_id: UUID) -> None:
    """Rate to the end; a pause, should a slow machine bring one about, is over at once."""
    shelf.do(Task.RATE, run_id)
    for _ in range(50):
        if shelf.stage(run_id, StageName.RATE).state != "running":
            return
        shelf.do(Task.RATE_BATCH, run_id)
        shelf.let_time_pass(run_id)
    raise AssertionError("the stage does not end")


def test_without_references_an_answer_for_another_pair_would_be_believed(
    shelf: Shelf, llm: FakeLlm
) -> None:
    clean = shelf.start_run(pairs=PAIRS, prompt_version=1)
    shelf.rate(clean)
    mixed, llm.script = Shelf.open(), _a_fifth(llm, [_Mixed()])
    run_id = mixed.start_run(pairs=PAIRS, prompt_version=1)
    _rate(mixed, run_id)
    assert set(mixed.attempts(run_id)) <= {"ok", "server_error"}
    assert mixed.labels(run_id) != shelf.labels(clean)  # why there is a version 2


@pytest.mark.parametrize("told", ["2", "date"])
def test_no_call_begins_before_the_time_that_a_429_names(
    shelf: Shelf, llm: FakeLlm, told: str
) -> None:
    came: list[float] = []

    def limited(call: Call) -> Wire | None:
        came.append(time.monotonic())
        if call is not llm.chats()[0]:
            return None
        return refused(429, retry_after=_on(3) if told == "date" else told)

    llm.script = limited
    run_id = shelf.start_run(pairs=20)
    _rate(shelf, run_id)
    assert len(shelf.labels(run_id)) == 40
    # those that were under way with it came at once; a date is cut to whole seconds
    assert max(after - before for before, after in pairwise(came)) >= 1.5


def test_a_reply_that_never_carries_the_reference_is_recorded_as_unparsed(
    shelf: Shelf, llm: FakeLlm
) -> None:
    llm.script = lambda call: (
        said('{"reason": "Valid.", "label": "High", "ref": "00000000"}')
        if "subject 3\n" in call.prompt
        else None
    )
    run_id = shelf.start_run(pairs=PAIRS)
    shelf.rate(run_id)
    labels = shelf.labels(run_id)
    assert sorted(labels.values()).count("unparsed") == 12  # the user view of user 3
    assert shelf.attempts(run_id) == {"ok": 108, "unparsable": 36}
    assert settings().llm.timeout_seconds == TIMEOUT
