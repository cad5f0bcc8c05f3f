"""The scorer by itself: who is let in, what it keeps in memory, and what it refuses."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine, event, update

from services.shared.artifacts import ArtifactStore
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Dataset, Model
from services.shared.errors import (
    ConflictError,
    DiskFullError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from services.shared.llm.cache_key import text_key
from services.shared.scoring import Ask, AskSimilar, Question, Reply, SimilarReply
from services.shared.settings import settings
from services.trainer.scorer.app import MAX_BODY, create_app
from services.trainer.scorer.arrivals import FRESH_SECONDS, Arrivals
from services.trainer.scorer.embedder import Embedder
from services.trainer.scorer.models import Models
from tests.api.conftest import NO_TLS
from tests.api.rows import add_model
from tests.fakes.llm import Call, Wire, refused
from tests.scorer.world import KEY, World, embedding, lean
from tests.trainer.shop import N_ITEMS, item

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def model_id(world: World) -> UUID:
    """The served model."""
    with unit_of_work(world.shop.project_id) as session:
        found = session.get_one(Dataset, world.shop.dataset_id).current_model_id
    assert found is not None
    return found


def _ask(world: World, served: UUID, **wishes: object) -> Ask:
    about = {
        "project_id": world.shop.project_id,
        "dataset_id": world.shop.dataset_id,
        "model_id": served,
        "k": 5,
        "questions": [{"user_id": "u000"}],
    }
    return Ask.model_validate(about | wishes)


def _post(world: World, ask: Ask | AskSimilar | bytes, key: str = KEY) -> httpx.Response:
    body = ask if isinstance(ask, bytes) else ask.model_dump_json().encode()
    path = "/v1/similar" if isinstance(ask, AskSimilar) else "/v1/recommend"
    with world.scorer(key) as asking:
        return asking.post(path, content=body)


def test_health_needs_no_key_and_everything_else_the_right_one(
    world: World, model_id: UUID
) -> None:
    with world.scorer("wrong") as asking:
        assert asking.get("/health").json()["status"] == "ok"
    for key in ("wrong", KEY[:-1], KEY + "x"):
        answer = _post(world, _ask(world, model_id), key)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert _post(world, _ask(world, model_id)).status_code == 200
    with pytest.raises(InvalidError, match="needs a key"):
        create_app("", world.models, Embedder(settings().embedder))


def test_the_project_that_is_named_sees_its_own_and_nothing_else(
    world: World, model_id: UUID
) -> None:
    for wishes in (
        {"project_id": uuid4()},
        {"model_id": uuid4()},
        {"dataset_id": uuid4()},
    ):
        answer = _post(world, _ask(world, model_id, **wishes))
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), wishes


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "no JSON"),
        (b"{", 400, "no JSON"),
        (b"[]", 422, "should be an object"),
        (b'{"version": 2}', 422, "/version"),
        (b'{"questions": [{"text": "a secret profile"}]}', 422, "Field required"),
        (b" " * (MAX_BODY + 1), 413, "16,777,216 bytes"),
    ],
)
def test_what_is_no_request_is_refused_and_never_quoted(
    world: World, body: bytes, status: int, said: str
) -> None:
    answer = _post(world, body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert "secret" not in answer.text


def test_every_question_has_its_answer_in_order_across_blocks(world: World, model_id: UUID) -> None:
    names = [f"u{n % 60:03d}" for n in range(150)]  # more than two blocks of people
    questions = [Question(user_id=name) for name in names]
    reply = Reply.model_validate_json(
        _post(world, _ask(world, model_id, questions=questions, k=N_ITEMS)).content
    )
    one = Reply.model_validate_json(_post(world, _ask(world, model_id, k=N_ITEMS)).content)
    assert len(reply.answers) == 150
    for again in (reply.answers[0], reply.answers[60], reply.answers[120]):
        assert [e.item_id for e in again.items] == [e.item_id for e in one.answers[0].items]


def test_the_ranking_is_that_of_the_vectors_by_hand(world: World, model_id: UUID) -> None:
    model = world.models.get(world.shop.project_id, model_id)
    for graph in ("raw", "denoised"):
        reply = Reply.model_validate_json(
            _post(world, _ask(world, model_id, graph=graph, exclude_seen=False, k=N_ITEMS)).content
        )
        space = model.space(graph)
        vector = space.users[model.user_at["u000"]]
        scores = {
            name: float(np.dot(vector, space.items[at])) for name, at in model.item_at.items()
        }
        told = [(e.item_id, e.score) for e in reply.answers[0].items]
        assert [name for name, _ in told] == sorted(scores, key=lambda name: -scores[name])
        for name, score in told:
            assert score == pytest.approx(scores[name], rel=1e-4, abs=1e-6)


def test_an_embedder_of_another_name_is_not_asked(world: World, model_id: UUID) -> None:
    other = Embedder(settings().embedder.model_copy(update={"model": "another"}))
    calls = len(world.llm.calls)
    assert other.embed(world.shop.project_id, "encoder", {b"k": "even"}, keep=True) == {}
    assert len(world.llm.calls) == calls
    other.close()


def test_a_text_that_the_embedder_refuses_keeps_no_other_from_a_vector(world: World) -> None:
    def script(call: Call) -> Wire | None:
        return refused(400) if "too long" in call.prompt else embedding(call)

    words = ["even one", "even, but too long", *(f"odd {n}" for n in range(5))]
    texts = {text_key(text): text for text in words}
    embedder = Embedder(settings().embedder)
    world.llm.script = script
    try:
        made = embedder.embed(world.shop.project_id, "encoder", texts, keep=True)
        calls = len(world.llm.calls)
        assert (
            embedder.embed(world.shop.project_id, "encoder", texts, keep=True).keys() == made.keys()
        )
        assert len(world.llm.calls) == calls  # the refused one is not sent again
    finally:
        world.llm.script = embedding
        embedder.close()
    assert made.keys() == texts.keys() - {text_key("even, but too long")}
    for key, vector in made.items():
        np.testing.assert_allclose(vector, lean(texts[key]), atol=1e-3)


def test_the_catalogue_is_gone_through_only_once_the_dataset_has_changed(
    world: World, model_id: UUID
) -> None:
    project, model = world.shop.project_id, world.models.get(world.shop.project_id, model_id)
    now, readings = [0.0], []

    def note(_c: object, _x: object, statement: str, *_: object) -> None:
        if "FROM items" in statement and "updated_at" in statement:
            readings.append(statement)

    def look() -> None:
        now[0] += FRESH_SECONDS + 1
        arrivals.of(project, model)
        until = time.monotonic() + 60
        while arrivals._known.get(model_id) is None or arrivals._known[model_id].at < now[0]:
            assert time.monotonic() < until
            time.sleep(0.01)

    embedder = Embedder(settings().embedder)
    arrivals = Arrivals(embedder, clock=lambda: now[0])
    event.listen(Engine, "before_cursor_execute", note)
    try:
        look()
        look()
        assert len(readings) == 1
        with world.client() as asking:
            rows = [{"id": "late", "text": "odd taste, late"}]
            asking.put(world.path("/items"), json={"items": rows})
        look()
        look()
        assert len(readings) == 2
        assert "late" in arrivals.of(project, model).ids
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        arrivals.close()
        embedder.close()


def test_likeness_of_an_item_is_the_cosine_and_leaves_itself_out(
    world: World, model_id: UUID
) -> None:
    ask = AskSimilar(
        project_id=world.shop.project_id,
        dataset_id=world.shop.dataset_id,
        model_id=model_id,
        k=N_ITEMS,
        item_id=item(4),
    )
    reply = SimilarReply.model_validate_json(_post(world, ask).content)
    names = [one.item_id for one in reply.items]
    assert item(4) not in names
    assert len(names) == len(world.models.get(world.shop.project_id, model_id).item_ids) - 1
    assert all(-1.00001 <= one.score <= 1.00001 for one in reply.items)
    missing = _post(world, ask.model_copy(update={"item_id": "none"}))
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


def test_models_stay_within_their_bytes_and_the_least_recently_used_goes(
    world: World, model_id: UUID
) -> None:
    store = ArtifactStore(settings().artifacts_url)
    project = world.shop.project_id
    twin = _twin(world, model_id)
    size = world.models.get(project, model_id).size
    assert size > 0
    wide, narrow = Models(store, most_bytes=3 * size), Models(store, most_bytes=size)
    for models, kept in ((wide, 2), (narrow, 1)):
        first = models.get(project, model_id)
        assert models.get(project, model_id) is first
        models.get(project, twin)
        assert models.size == kept * size
        assert (models.get(project, model_id) is first) == (kept == 2)


def test_damaged_files_are_refused_until_they_are_sound_again(
    world: World, model_id: UUID, tmp_path: Path
) -> None:
    project, now = world.shop.project_id, [0.0]
    store = ArtifactStore(settings().artifacts_url)
    models = Models(store, most_bytes=2**30, clock=lambda: now[0])
    path = _folder(world, model_id, store) / "cold-raw.safetensors"
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    try:
        for _ in range(2):
            with pytest.raises(UnavailableError, match="files of this model"):
                models.get(project, model_id)
    finally:
        path.write_bytes(sound)
    with pytest.raises(UnavailableError):
        models.get(project, model_id)
    now[0] += 11
    assert models.get(project, model_id).model_id == model_id


class _NoRoom(ArtifactStore):
    """A store whose cache is on a full disk."""

    opened = 0

    def open(self, path: str, *, sha256: str | None = None) -> Path:
        """Find no room for a copy."""
        self.opened += 1
        raise DiskFullError(f"no room for {path} ({sha256})", needs=1)


def test_a_model_that_finds_no_room_is_a_trouble_of_its_own_and_waits(
    world: World, model_id: UUID
) -> None:
    store = _NoRoom(settings().artifacts_url)
    models = Models(store, most_bytes=2**30, clock=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="files of this model"):
            models.get(world.shop.project_id, model_id)
    assert store.opened == 1


def test_a_model_of_an_earlier_release_is_named_as_such(world: World) -> None:
    store = ArtifactStore(settings().artifacts_url)
    project, dataset = world.shop.project_id, world.shop.dataset_id
    old = add_model(store, project, dataset, raw={}, denoised={}, serve=False)
    models = Models(store, most_bytes=2**30)
    with pytest.raises(ConflictError, match="run again"):
        models.get(project, old)
    with pytest.raises(NotFoundError):
        models.get(uuid4(), old)


def _folder(world: World, model_id: UUID, store: ArtifactStore) -> Path:
    with unit_of_work(world.shop.project_id) as session:
        row = session.get_one(Model, model_id)
        return store.open(row.artifact_path, sha256=row.manifest_sha256)


def _twin(world: World, model_id: UUID) -> UUID:
    """Return another model with the same files."""
    store = ArtifactStore(settings().artifacts_url)
    project, dataset = world.shop.project_id, world.shop.dataset_id
    twin = add_model(store, project, dataset, raw={}, denoised={}, serve=False)
    with unit_of_work(project) as session:
        row = session.get_one(Model, model_id)
        session.execute(
            update(Model)
            .where(Model.id == twin)
            .values(artifact_path=row.artifact_path, manifest_sha256=row.manifest_sha256)
        )
    return twin


@pytest.fixture
def process(world: World, free_port: int) -> Iterator[str]:
    """`python -m services.trainer.scorer`, as operators start it; the value is its URL."""
    own = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child's surroundings
        if not name.startswith("WINNOW_")
    }
    own |= {
        "WINNOW_DATABASE_URL": settings().require("database_url"),
        "WINNOW_ARTIFACTS_URL": settings().artifacts_url,
        "WINNOW_SCORER_KEY": KEY,
        "WINNOW_SCORER_PORT": str(free_port),
    }
    child = subprocess.Popen([sys.executable, "-m", "services.trainer.scorer"], env=own)
    try:
        until = time.monotonic() + 90
        while not _listens(free_port):
            assert child.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield f"http://127.0.0.1:{free_port}"
    finally:
        child.terminate()
        child.wait(30)


def test_the_process_serves_and_ends_when_it_is_asked_to(
    world: World, model_id: UUID, process: str
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(
        base_url=process, headers=headers, timeout=60, trust_env=False, verify=NO_TLS
    ) as asking:
        assert asking.get("/health").status_code == 200
        body = _ask(world, model_id).model_dump_json()
        answer = asking.post("/v1/recommend", content=body)
    assert Reply.model_validate_json(answer.content).answers[0].strategy == "model"


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
