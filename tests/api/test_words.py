"""A person's word: on any pair, kept with who, why and when, and waiting until a run obeys it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from services.shared.db.session import unit_of_work
from tests.api.conftest import Api, Tenant
from tests.api.rows import add_model, add_pair, add_run

pytestmark = pytest.mark.stack


@pytest.fixture
def client(tenant: Tenant) -> Iterator[httpx.Client]:
    """A writer of this file's project."""
    with tenant.client("write") as client:
        yield client


@pytest.fixture
def dataset(tenant: Tenant, client: httpx.Client, request: pytest.FixtureRequest) -> str:
    """An empty dataset of the test's own."""
    return tenant.dataset(request.node.name[:190])


def _path(dataset: str, user: str = "u1", item: str = "b/17") -> str:
    pair = "/".join(quote(part, safe="").replace(".", "%2E") for part in (user, item))
    return f"/v1/datasets/{dataset}/verdicts/{pair}"


def _version(client: httpx.Client, dataset: str) -> int:
    return int(client.get(f"/v1/datasets/{dataset}").json()["version"])


def test_a_word_is_kept_with_who_said_it_why_and_when(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    said = {"verdict": "hard", "note": "A gift.\nFor her brother.", "author": "ada@shop.example"}
    answer = client.put(_path(dataset), json=said)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["user_id"], told["item_id"], told["in_log"]) == ("u1", "b/17", False)
    assert told["run"] is None
    assert told["pending"] is True
    word = told["person"]
    assert {name: word[name] for name in said} == said
    assert (word["key_name"], word["key_prefix"]) == (
        "write",
        tenant.keys["write"].split("_")[1],
    )
    assert word["dataset_version"] == _version(client, dataset) == 1
    assert told["history"] == [word]
    assert client.get(_path(dataset)).json() == told


def test_changes_and_a_withdrawal_are_kept_newest_first(client: httpx.Client, dataset: str) -> None:
    path = _path(dataset)
    client.put(path, json={"verdict": "noise"})
    client.put(path, json={"verdict": "clean", "author": "bo"})
    gone = client.delete(path, params={"note": "We asked her.", "author": "cy"})
    assert (gone.status_code, gone.content) == (204, b"")
    told = client.get(path).json()
    assert told["person"] is None
    assert [(c["verdict"], c["author"], c["note"]) for c in told["history"]] == [
        (None, "cy", "We asked her."),
        ("clean", "bo", None),
        ("noise", None, None),
    ]
    assert [c["dataset_version"] for c in told["history"]] == [3, 2, 1]
    assert client.delete(path).status_code == 204, "once more does no harm"
    assert client.get(path).json() == told
    never = client.delete(_path(dataset, "u2"))
    assert never.status_code == 404
    assert never.json()["detail"] == "There is no person's word on the pair 'u2, b/17'."


def test_the_same_word_again_changes_nothing(client: httpx.Client, dataset: str) -> None:
    said = {"verdict": "unsure", "note": "who knows"}
    first = client.put(_path(dataset), json=said).json()
    assert client.put(_path(dataset), json=said).json() == first
    assert _version(client, dataset) == 1
    other = client.put(_path(dataset), json=said | {"note": "we do not"}).json()
    assert len(other["history"]) == 2


@pytest.mark.parametrize(
    ("user", "item"),
    [("a/b", "c%2Fd"), ("..", "."), ("🦀", "naïve"), ("x:promote", "y?z#"), ("u", "\n")],
)
def test_any_id_may_be_spoken_of(client: httpx.Client, dataset: str, user: str, item: str) -> None:
    path = _path(dataset, user, item)
    told = client.put(path, json={"verdict": "noise"}).json()
    assert (told["user_id"], told["item_id"]) == (user, item)
    assert client.get(path).json() == told
    assert client.delete(path).status_code == 204


def test_a_pair_that_nobody_spoke_of_has_no_verdict(client: httpx.Client, dataset: str) -> None:
    answer = client.get(_path(dataset))
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert answer.json()["detail"] == "There is no verdict on the pair 'u1, b/17'."


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"verdict": "spam"}, "/verdict", "'hard', 'noise', 'clean' or 'unsure'"),
        ({"verdict": None}, "/verdict", "'hard', 'noise', 'clean' or 'unsure'"),
        ({}, "/verdict", "is required"),
        ({"verdict": "hard", "note": "x" * 2001}, "/note", "at most 2000 characters"),
        ({"verdict": "hard", "note": ""}, "/note", "at least 1 character"),
        ({"verdict": "hard", "author": "a\nb"}, "/author", "a character that is not allowed"),
        ({"verdict": "hard", "because": "x"}, "/because", "no such field"),
    ],
)
def test_a_wrong_word_is_refused_by_its_place_and_changes_nothing(
    client: httpx.Client, dataset: str, body: dict[str, Any], pointer: str, words: str
) -> None:
    answer = client.put(_path(dataset), json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert words in answer.json()["errors"][0]["detail"]
    assert _version(client, dataset) == 0
    assert client.get(_path(dataset)).status_code == 404


def test_a_note_holds_no_nul_and_an_id_no_10_000_characters(
    client: httpx.Client, dataset: str
) -> None:
    nul = client.put(_path(dataset), json={"verdict": "hard", "note": "a\0b"})
    assert (nul.status_code, nul.json()["errors"][0]["pointer"]) == (422, "/note")
    long = client.put(_path(dataset, "u" * 10_000), json={"verdict": "hard"})
    assert long.status_code == 422
    assert "1 to 256 bytes" in long.text


def test_unknown_ids_are_taken_unless_the_dataset_wants_known_ones(
    tenant: Tenant, client: httpx.Client
) -> None:
    strict = tenant.dataset("known only", require_known_ids=True)
    client.put(f"/v1/datasets/{strict}/users", json={"users": [{"id": "u1"}]})
    answer = client.put(_path(strict), json={"verdict": "hard"})
    assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_ID")
    assert answer.json()["detail"] == (
        "There is no item 'b/17'; this dataset takes known ids only."
    )
    assert answer.json()["errors"][0]["pointer"] == "/path/item_id"
    client.put(f"/v1/datasets/{strict}/items", json={"items": [{"id": "b/17"}]})
    assert client.put(_path(strict), json={"verdict": "hard"}).status_code == 200
    client.delete(f"/v1/datasets/{strict}/items/b%2F17")
    assert client.delete(_path(strict)).status_code == 204, "a word may always be taken back"


def test_many_words_come_at_once_and_bad_rows_sink_alone(
    client: httpx.Client, dataset: str
) -> None:
    client.put(_path(dataset, "u2", "b"), json={"verdict": "noise"})
    rows = [
        {"user_id": "u1", "item_id": "a", "verdict": "noise"},
        {"user_id": "u1", "item_id": "a", "verdict": "clean", "note": "the last one stands"},
        {"user_id": "u2", "item_id": "b", "verdict": None},
        {"user_id": "u3", "item_id": "c", "verdict": "nope"},
        {"user_id": "", "item_id": "c", "verdict": "hard"},
        "nonsense",
        {"user_id": "u4", "item_id": "c", "verdict": "hard", "because": "x"},
    ]
    path = f"/v1/datasets/{dataset}/verdicts:batch"
    answer = client.post(path, json={"verdicts": rows}, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 207, answer.text
    told = answer.json()
    assert (told["received"], told["changed"], told["rejected"]) == (7, 2, 4)
    assert [(e["index"], e["pointer"]) for e in told["errors"]] == [
        (3, "/verdicts/3/verdict"),
        (4, "/verdicts/4/user_id"),
        (5, "/verdicts/5"),
        (6, "/verdicts/6/because"),
    ]
    known = "there is no such field; known are verdict, note, author, user_id, item_id"
    assert told["errors"][3]["detail"] == known
    assert "'hard', 'noise', 'clean' or 'unsure'" in told["errors"][0]["detail"]
    assert told["version"] == _version(client, dataset) == 2
    assert client.get(_path(dataset, "u1", "a")).json()["person"]["note"] == "the last one stands"
    assert client.get(_path(dataset, "u2", "b")).json()["person"] is None
    again = client.post(path, json={"verdicts": rows}, headers={"Idempotency-Key": "one"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == told
    assert client.post(path, json={"verdicts": rows[:2]}).json()["changed"] == 0
    too_many = client.post(path, json={"verdicts": [{}] * 1001})
    assert (too_many.status_code, too_many.json()["code"]) == (413, "TOO_LARGE")


def test_in_a_dataset_of_known_ids_a_bad_row_of_many_is_named(
    tenant: Tenant, client: httpx.Client
) -> None:
    strict = tenant.dataset("known only, many", require_known_ids=True)
    rows = [{"user_id": "u1", "item_id": "a", "verdict": "noise"}]
    answer = client.post(f"/v1/datasets/{strict}/verdicts:batch", json={"verdicts": rows})
    assert answer.status_code == 207
    (error,) = answer.json()["errors"]
    assert (error["code"], error["pointer"]) == ("UNKNOWN_ID", "/verdicts/0/user_id")


def test_a_word_is_pending_until_a_model_has_learned_its_version(
    api: Api, tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    path = _path(dataset)
    for verdict in ("noise", "hard", "clean"):  # versions 1, 2 and 3
        client.put(path, json={"verdict": verdict})
    add_model(api.store, tenant.id, UUID(dataset), raw={}, denoised={})  # of version 3
    assert client.get(path).json()["pending"] is False
    client.delete(path)
    told = client.get(path).json()
    assert (told["pending"], told["history"][0]["pending"]) == (True, True)
    assert [change["pending"] for change in told["history"][1:]] == [False] * 3


@pytest.fixture
def judged(tenant: Tenant, dataset: str) -> str:
    """Two pairs that a finished run decided by rule."""
    run = add_run(tenant.id, UUID(dataset), state="succeeded")
    for pair, action in ((("u1", "a"), "drop"), (("u2", "b"), "keep")):
        add_pair(
            tenant.id,
            UUID(dataset),
            run,
            pair=pair,
            labels=("Low", "Low"),
            verdict="noise",
            action=action,
        )
    with unit_of_work(tenant.id) as session:
        session.execute(
            text("UPDATE verdicts SET decided_by = 'person', score = NULL WHERE user_id = 'u2'")
        )
    return str(run)


def _listed(client: httpx.Client, dataset: str, **query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/datasets/{dataset}/verdicts", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["verdicts"])


def test_words_are_listed_beside_the_run_that_has_not_obeyed_them(
    client: httpx.Client, dataset: str, judged: str
) -> None:
    client.put(_path(dataset, "u1", "a"), json={"verdict": "hard", "author": "ada"})
    client.put(_path(dataset, "u9", "z"), json={"verdict": "noise"})

    def pairs(**query: str) -> list[tuple[str, str]]:
        return [(row["user_id"], row["verdict"]) for row in _listed(client, dataset, **query)]

    assert pairs() == [("u1", "noise"), ("u2", "noise")]
    assert pairs(source="rule") == [("u1", "noise")]
    assert pairs(source="person") == [("u1", "noise"), ("u2", "noise"), ("u9", "noise")]
    assert pairs(source="person", run=judged) == [("u2", "noise")]
    assert pairs(source="person", verdict="hard") == [("u1", "noise")]
    assert pairs(source="person", user_id="u9") == [("u9", "noise")]
    assert pairs(action="drop") == [("u1", "noise")]
    assert pairs(action="keep", source="person") == [("u2", "noise")]
    assert pairs(action="add", source="person") == []
    first, second, third = _listed(client, dataset, source="person")
    assert (first["decided_by"], first["action"], first["run_id"]) == ("rule", "drop", judged)
    assert (first["person"]["verdict"], first["person"]["author"]) == ("hard", "ada")
    assert first["person"]["pending"] is True
    assert (second["decided_by"], second["score"], second["person"]) == ("person", None, None)
    assert (third["run_id"], third["action"], third["edge"], third["score"]) == (None,) * 4
    assert third["decided_by"] == "person"
    page = client.get(
        f"/v1/datasets/{dataset}/verdicts", params={"source": "person", "page_size": 2}
    ).json()
    rest = _listed(client, dataset, source="person", page_token=page["next_page_token"])
    assert page["verdicts"] + rest == [first, second, third]


def test_a_pair_tells_the_newest_runs_verdict_and_the_persons_word(
    client: httpx.Client, dataset: str, judged: str
) -> None:
    event = {"user_id": "u1", "item_id": "a"}
    client.post(f"/v1/datasets/{dataset}/interactions", json={"interactions": [event]})
    told = client.get(_path(dataset, "u1", "a")).json()
    assert (told["in_log"], told["pending"], told["history"]) == (True, False, [])
    assert (told["run"]["run_id"], told["run"]["verdict"]) == (judged, "noise")
    assert told["run"]["ratings"]["user"]["reason"] == "user view says Low"
    assert told["run"]["ratings"]["item"]["label"] == "Low"
    told = client.put(_path(dataset, "u1", "a"), json={"verdict": "hard"}).json()
    assert told["person"]["verdict"] == told["run"]["person"]["verdict"] == "hard"
    assert told["run"]["verdict"] == "noise", "the run has not seen it"


def test_words_are_listed_before_any_run(client: httpx.Client, dataset: str) -> None:
    client.put(_path(dataset), json={"verdict": "noise"})
    (row,) = _listed(client, dataset, source="person")
    assert (row["verdict"], row["person"]["pending"]) == ("noise", True)
    assert client.get(f"/v1/datasets/{dataset}/verdicts").status_code == 404


def test_the_report_counts_what_people_said(
    client: httpx.Client, dataset: str, judged: str
) -> None:
    client.put(_path(dataset), json={"verdict": "noise"})
    report = client.get(f"/v1/datasets/{dataset}/noise-report", params={"run": judged}).json()
    assert report["people"] == {
        "words": 1,
        "by_verdict": {"hard": 0, "noise": 1, "clean": 0, "unsure": 0},
        "dropped": 0,
        "added": 0,
        "not_done": {},
        "pending": 1,
    }
    assert [row["user_id"] for row in report["examples"]["noisiest"]] == ["u1"]
    assert sum(report["histograms"]["score"]["noise"]) == 1, "no score, no place"


def test_a_reader_reads_words_and_may_not_speak(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    client.put(_path(dataset), json={"verdict": "noise"})
    with tenant.client("read") as reader:
        assert reader.get(_path(dataset)).json()["person"]["verdict"] == "noise"
        assert reader.put(_path(dataset), json={"verdict": "hard"}).status_code == 403
        assert reader.delete(_path(dataset)).status_code == 403
        rows = {"verdicts": []}
        batch = reader.post(f"/v1/datasets/{dataset}/verdicts:batch", json=rows)
        assert batch.status_code == 403
    assert client.get(_path(dataset)).json()["person"]["verdict"] == "noise"
