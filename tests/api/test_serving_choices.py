"""What is served, and the way back: graphs, rollbacks, the undo of a refinement and its redo."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from services.shared.db.session import unit_of_work
from services.shared.db.tables import Model, Run
from tests.api.conftest import Api, Tenant
from tests.api.rows import Rows, add_model, add_pair, point_to

pytestmark = pytest.mark.stack
FIRST: Rows = {"u": [("first denoised", 1.0, [])]}
SECOND: Rows = {"u": [("second denoised", 1.0, [])]}
RAW: Rows = {"u": [("raw", 1.0, [])]}


@pytest.fixture
def client(tenant: Tenant) -> Iterator[httpx.Client]:
    """A writer of this file's project."""
    with tenant.client("write") as client:
        yield client


@pytest.fixture
def dataset(tenant: Tenant, request: pytest.FixtureRequest) -> str:
    """A dataset of the test's own."""
    return tenant.dataset(request.node.name)


@pytest.fixture
def first(api: Api, tenant: Tenant, dataset: str) -> str:
    """A model that the dataset serves."""
    return str(add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=FIRST))


@pytest.fixture
def second(api: Api, tenant: Tenant, dataset: str) -> str:
    """A model that waits for promotion."""
    model = add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=SECOND, serve=False)
    return str(model)


def _served(client: httpx.Client, dataset: str, etag: str = "") -> tuple[str, str]:
    headers = {"If-None-Match": etag} if etag else {}
    answer = client.get(f"/v1/datasets/{dataset}/recommendations/u", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"][0]["item_id"], answer.headers["etag"]


def _post(client: httpx.Client, path: str, **kwargs: object) -> dict[str, object]:
    answer = client.post(path, **kwargs)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_model_is_promoted_with_the_lists_of_the_graph_that_is_named(
    client: httpx.Client, dataset: str, first: str
) -> None:
    item, etag = _served(client, dataset)
    assert item == "first denoised"
    card = _post(client, f"/v1/models/{first}:promote", json={"graph": "raw"})
    assert (card["served"], card["served_graph"], card["default_graph"]) == (
        True,
        "raw",
        "denoised",
    )
    # the old ETag names the old list: no 304 for another one
    assert _served(client, dataset, etag)[0] == "raw"
    assert client.get(f"/v1/datasets/{dataset}").json()["current_graph"] == "raw"
    named = client.get(
        f"/v1/datasets/{dataset}/recommendations/u", params={"graph": "denoised"}
    ).json()
    assert named["items"][0]["item_id"] == "first denoised", "who names a graph gets it"
    card = _post(client, f"/v1/models/{first}:promote")
    assert card["served_graph"] == "denoised"
    assert _served(client, dataset)[0] == "first denoised"


def test_a_wrong_graph_is_refused(client: httpx.Client, first: str) -> None:
    answer = client.post(f"/v1/models/{first}:promote", json={"graph": "fine"})
    assert answer.status_code == 422
    assert "'raw' or 'denoised'" in answer.json()["detail"]


def test_a_rollback_goes_back_step_by_step_and_a_promotion_forward_again(
    client: httpx.Client, dataset: str, first: str, second: str
) -> None:
    rollback = f"/v1/datasets/{dataset}:rollback"
    _post(client, f"/v1/models/{second}:promote")
    _post(client, f"/v1/models/{second}:promote")  # again: nothing to go back to in between
    _post(client, f"/v1/models/{second}:promote", json={"graph": "raw"})
    assert _served(client, dataset)[0] == "raw"
    card = _post(client, rollback)
    assert (card["id"], card["served_graph"]) == (second, "denoised")
    assert _served(client, dataset)[0] == "second denoised"
    assert _post(client, rollback)["id"] == first
    assert _served(client, dataset)[0] == "first denoised"
    end = client.post(rollback)
    assert (end.status_code, end.json()["code"]) == (409, "NOTHING_BEFORE")
    _post(client, f"/v1/models/{second}:promote")
    assert _post(client, rollback)["id"] == first


def test_a_rollback_under_one_idempotency_key_goes_back_once(
    client: httpx.Client, dataset: str, first: str, second: str
) -> None:
    _post(client, f"/v1/models/{second}:promote")
    _post(client, f"/v1/models/{first}:promote")
    headers = {"Idempotency-Key": "back"}
    for _ in range(3):
        assert _post(client, f"/v1/datasets/{dataset}:rollback", headers=headers)["id"] == second
    assert _served(client, dataset)[0] == "second denoised"


def test_a_dataset_that_served_nothing_has_nothing_to_go_back_to(
    client: httpx.Client, dataset: str
) -> None:
    answer = client.post(f"/v1/datasets/{dataset}:rollback")
    assert (answer.status_code, answer.json()["code"]) == (409, "NOTHING_BEFORE")


def test_a_pointer_that_an_older_process_moved_is_gone_back_to_all_the_same(
    api: Api, tenant: Tenant, client: httpx.Client, dataset: str, first: str, second: str
) -> None:
    point_to(tenant.id, UUID(dataset), UUID(second))  # without a word in the history
    api.routes.state.pointers.forget(tenant.id, UUID(dataset))
    _post(client, f"/v1/models/{first}:promote", json={"graph": "raw"})
    assert _post(client, f"/v1/datasets/{dataset}:rollback")["id"] == second


PAIRS = {
    ("u1", "a"): ("drop", True, "noise"),
    ("u1", "b"): ("add", False, "hard"),
    ("u2", "a"): ("keep", True, "hard"),
    ("u2", "b"): ("drop", True, "noise"),
    ("u3", "c"): ("none", False, "clean"),
    ("u3", "d"): ("keep", True, "unsure"),
}


def _refined(tenant: Tenant, dataset: str, model: str, *, rule: str = "conservative") -> str:
    """Let the model's run have decided PAIRS; return its id."""
    with unit_of_work(tenant.id) as session:
        run = session.scalars(select(Model.run_id).where(Model.id == UUID(model))).one()
        spec = {"params": {"rule": rule}}
        session.execute(update(Run).where(Run.id == run).values(spec=spec))
    for pair, (action, edge, verdict) in PAIRS.items():
        labels = ("Mid", "Mid") if verdict != "hard" else ("High", "High")
        add_pair(
            tenant.id,
            UUID(dataset),
            run,
            pair=pair,
            labels=labels,
            verdict=verdict,
            action="keep" if rule == "soft" and action == "drop" else action,
            edge=edge,
        )
    return str(run)


def _words(client: httpx.Client, dataset: str) -> dict[tuple[str, str], str | None]:
    rows = client.get(f"/v1/datasets/{dataset}/verdicts", params={"source": "person"}).json()
    return {(r["user_id"], r["item_id"]): r["person"]["verdict"] for r in rows["verdicts"]}


def test_an_undo_serves_the_raw_lists_at_once_and_protects_what_the_run_changed(
    tenant: Tenant, client: httpx.Client, dataset: str, first: str
) -> None:
    run = _refined(tenant, dataset, first)
    own = f"/v1/datasets/{dataset}/verdicts/u2/b"
    client.put(own, json={"verdict": "noise"})  # a person has agreed with this drop
    body = {"note": "Too many gifts fell.", "author": "ada"}
    told = _post(client, f"/v1/models/{first}:undo-refinement", json=body)
    assert (told["pairs"], told["serving_changed"], told["version"]) == (2, True, 2)
    assert told["model"]["served_graph"] == "raw"  # type: ignore[index]
    assert _served(client, dataset)[0] == "raw"
    assert _words(client, dataset) == {
        ("u1", "a"): "unsure",
        ("u1", "b"): "unsure",
        ("u2", "b"): "noise",
    }
    word = client.get(f"/v1/datasets/{dataset}/verdicts/u1/a").json()["person"]
    assert (word["undo_of"], word["note"], word["author"]) == (run, body["note"], "ada")
    assert (word["key_name"], word["dataset_version"], word["pending"]) == ("write", 2, False)
    again = _post(client, f"/v1/models/{first}:undo-refinement")
    assert (again["pairs"], again["serving_changed"], again["version"]) == (0, False, 2)


def test_a_redo_takes_the_undos_words_and_lists_back_and_leaves_what_people_changed_since(
    tenant: Tenant, client: httpx.Client, dataset: str, first: str
) -> None:
    _refined(tenant, dataset, first)
    _post(client, f"/v1/models/{first}:undo-refinement")
    client.put(f"/v1/datasets/{dataset}/verdicts/u1/a", json={"verdict": "hard"})
    told = _post(client, f"/v1/models/{first}:redo-refinement", json={"author": "bo"})
    assert (told["pairs"], told["serving_changed"]) == (2, True)
    assert _served(client, dataset)[0] == "first denoised"
    assert _words(client, dataset) == {("u1", "a"): "hard"}
    history = client.get(f"/v1/datasets/{dataset}/verdicts/u2/b").json()["history"]
    assert [(c["verdict"], c["author"]) for c in history] == [(None, "bo"), ("unsure", None)]
    again = _post(client, f"/v1/models/{first}:redo-refinement")
    assert (again["pairs"], again["serving_changed"]) == (0, False)


def test_a_rollback_takes_the_lists_of_an_undo_back_too(
    tenant: Tenant, client: httpx.Client, dataset: str, first: str
) -> None:
    _refined(tenant, dataset, first)
    _post(client, f"/v1/models/{first}:undo-refinement")
    assert _post(client, f"/v1/datasets/{dataset}:rollback")["served_graph"] == "denoised"
    assert len(_words(client, dataset)) == 3, "words are another matter"
    told = _post(client, f"/v1/models/{first}:redo-refinement")
    assert (told["pairs"], told["serving_changed"]) == (3, False)


def test_the_undo_of_a_model_that_is_not_served_changes_no_list(
    tenant: Tenant, client: httpx.Client, dataset: str, first: str, second: str
) -> None:
    _refined(tenant, dataset, second)
    told = _post(client, f"/v1/models/{second}:undo-refinement")
    assert (told["pairs"], told["serving_changed"]) == (3, False)
    assert told["model"]["served_graph"] is None  # type: ignore[index]
    assert _served(client, dataset)[0] == "first denoised"
    assert first != second


def test_the_undo_of_a_soft_run_protects_the_edges_that_it_weighed_down(
    tenant: Tenant, client: httpx.Client, dataset: str, first: str
) -> None:
    _refined(tenant, dataset, first, rule="soft")
    assert _post(client, f"/v1/models/{first}:undo-refinement")["pairs"] == 4
    assert set(_words(client, dataset)) == {("u1", "a"), ("u1", "b"), ("u2", "b"), ("u3", "d")}
