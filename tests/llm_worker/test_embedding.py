"""Every text gets one vector, once, whatever the endpoint does meanwhile."""

import struct

import pytest

from services.shared.db.repos import embeddings
from services.shared.db.session import unit_of_work
from services.shared.llm.cache_key import text_key
from services.shared.queues import Task
from services.shared.stages import StageName
from tests.fakes.llm import FakeLlm, vector_of
from tests.llm_worker.shelf import N_ITEMS, N_USERS, Shelf, texts

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
