"""A run is rated: every question asked once, kept once, and found again by the next run."""

import pytest

from services.shared.stages import StageName
from tests.fakes.llm import FakeLlm, label_of
from tests.llm_worker.shelf import Shelf

pytestmark = pytest.mark.stack


def test_every_view_of_every_pair_is_asked_once_and_kept(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = shelf.start_run(pairs=60)
    shelf.rate(run_id)
    labels = shelf.labels(run_id)
    assert len(labels) == 120  # 60 pairs, two views
    assert len(llm.chats()) == 120
    assert set(shelf.ratings().values()) == {1}
    stage = shelf.stage(run_id, StageName.RATE)
    assert stage.state == "succeeded"
    assert stage.figures["pairs"] == 60
    assert stage.figures["rated"] == 120
    assert stage.figures["usage"] == {
        "rater": {"requests": 120, "prompt_tokens": 12_000, "completion_tokens": 1_200}
    }
    assert shelf.job(run_id).progress == {
        "total": 120,
        "completed": 120,
        "failed": 0,
        "cached": 0,
    }
    assert shelf.stage(run_id, StageName.REFINE).state == "ready"
    assert sorted(labels.values()) == sorted(label_of(call.prompt) for call in llm.chats())
