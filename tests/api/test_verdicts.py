"""Verdicts come with both views' words; the noise report counts by hand-checked numbers."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from tests.api.conftest import Tenant
from tests.api.rows import add_pair, add_run, set_stage

pytestmark = pytest.mark.stack
PAIRS = [
    # a pair, the labels of user and item view, then what was made of it, and what held that back
    (("u1", "a"), ("Low", "Low"), "noise", "drop", True, -0.9, None),
    (("u1", "b"), ("Low", "Mid"), "noise", "keep", True, -0.5, "share_cap"),
    (("u2", "a"), ("High", "High"), "hard", "keep", True, -0.7, None),
    (("u2", "c"), ("High", "High"), "hard", "add", False, 0.9, None),
    (("u3", "c"), ("Low", "Low"), "clean", "none", False, 0.8, None),
    (("u3", "d"), ("Mid", "unparsed"), "unsure", "keep", True, 0.0, None),
    (("u3", "e"), (None, None), "unsure", "keep", True, 0.1, None),
]


@pytest.fixture(scope="module")
def dataset(tenant: Tenant) -> str:
    """A dataset with one finished run over seven pairs."""
    dataset = tenant.dataset("judged")
    spec = {"params": {"max_drop_share": 0.005}}
    run = add_run(tenant.id, UUID(dataset), state="succeeded", spec=spec)
    for pair, labels, verdict, action, edge, score, note in PAIRS:
        add_pair(
            tenant.id,
            UUID(dataset),
            run,
            pair=pair,
            labels=labels,
            verdict=verdict,
            action=action,
            edge=edge,
            score=score,
            note=note,
        )
    loss = {"bins": [0, 1], "hard": [1], "noise": [2], "clean": [3], "unsure": [4]}
    set_stage(tenant.id, run, "refine", figures={"edges_before": 200, "drops": {"at_most": 1}})
    set_stage(tenant.id, run, "evaluate", figures={"histograms": {"loss": loss}})
    add_run(tenant.id, UUID(dataset))  # a newer one that has not ended
    return dataset


@pytest.fixture
def client(tenant: Tenant) -> Iterator[httpx.Client]:
    """A reader of this file's project."""
    with tenant.client("read") as client:
        yield client


def test_a_verdict_shows_what_both_views_said(client: httpx.Client, dataset: str) -> None:
    rows = client.get(f"/v1/datasets/{dataset}/verdicts").json()["verdicts"]
    assert [(row["user_id"], row["item_id"]) for row in rows] == [pair[0] for pair in PAIRS]
    first = dict(rows[0])
    assert first.pop("run_id")
    assert first == {
        "user_id": "u1",
        "item_id": "a",
        "edge": True,
        "verdict": "noise",
        "decided_by": "rule",
        "action": "drop",
        "not_done": None,
        "score": -0.9,
        "person": None,
        "ratings": {
            "user": {"label": "Low", "reason": "user view says Low"},
            "item": {"label": "Low", "reason": "item view says Low"},
        },
    }
    assert rows[-1]["ratings"] == {"user": None, "item": None}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"verdict": "noise"}, [("u1", "a"), ("u1", "b")]),
        ({"user_id": "u2"}, [("u2", "a"), ("u2", "c")]),
        ({"item_id": "c"}, [("u2", "c"), ("u3", "c")]),
        ({"item_id": "c", "verdict": "hard"}, [("u2", "c")]),
        ({"user_id": "nobody"}, []),
    ],
)
def test_verdicts_are_filtered(
    client: httpx.Client, dataset: str, wanted: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    rows = client.get(f"/v1/datasets/{dataset}/verdicts", params=wanted).json()["verdicts"]
    assert [(row["user_id"], row["item_id"]) for row in rows] == expected


def test_verdicts_come_page_by_page(client: httpx.Client, dataset: str) -> None:
    path, seen, token = f"/v1/datasets/{dataset}/verdicts", [], None
    for _ in range(4):
        params = {"page_size": 2} | ({"page_token": token} if token else {})
        page = client.get(path, params=params).json()
        seen += [(row["user_id"], row["item_id"]) for row in page["verdicts"]]
        token = page["next_page_token"]
    assert token is None
    assert seen == [pair[0] for pair in PAIRS]


def test_a_run_of_another_dataset_or_none_is_not_found(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    other = tenant.dataset("unjudged")
    run = client.get(f"/v1/datasets/{dataset}/verdicts").json()["verdicts"][0]["run_id"]
    for noun in ("verdicts", "noise-report"):
        path = f"/v1/datasets/{other}/{noun}"
        assert client.get(path).status_code == 404
        assert client.get(path, params={"run": run}).status_code == 404
        assert client.get(path, params={"run": "x"}).status_code == 422
    wrong = {"verdict": "maybe"}
    assert client.get(f"/v1/datasets/{dataset}/verdicts", params=wrong).status_code == 422


def test_the_report_counts_what_the_rows_say(client: httpx.Client, dataset: str) -> None:
    report = client.get(f"/v1/datasets/{dataset}/noise-report").json()
    assert report["totals"] == {
        "edges": 200,
        "candidates": 7,
        "rated": 6,  # a pair with an answer in at least one view
        "flagged": 2,
        "dropped": 1,
        "added": 1,
        "by_verdict": {"hard": 2, "noise": 2, "clean": 1, "unsure": 2},
    }
    assert report["drops"] == {
        "wanted": 2,
        "done": 1,
        "share_cap": 1,
        "last_edge": 0,
        "at_most": 1,
        "max_drop_share": 0.005,
    }
    assert report["people"] == {
        "words": 0,
        "by_verdict": {"hard": 0, "noise": 0, "clean": 0, "unsure": 0},
        "dropped": 0,
        "added": 0,
        "not_done": {},
        "pending": 0,
    }
    assert report["flagged_share"] == 2 / 200
    assert report["agreement"] == {"views": 0.8, "pairs": 5}  # Low-Mid differs, unparsed is none
    examples = report["examples"]
    assert [row["item_id"] for row in examples["noisiest"]] == ["a", "b"]
    assert [row["user_id"] for row in examples["hardest"]] == ["u2"]  # an edge, not the addition
    assert examples["noisiest"][0]["ratings"]["user"]["reason"] == "user view says Low"


def test_the_histograms_cover_every_score(client: httpx.Client, dataset: str) -> None:
    histograms = client.get(f"/v1/datasets/{dataset}/noise-report").json()["histograms"]
    score = histograms["score"]
    assert len(score["bins"]) == 21
    assert (score["bins"][0], score["bins"][-1]) == (-0.9, pytest.approx(0.9))
    totals = {verdict: sum(score[verdict]) for verdict in ("hard", "noise", "clean", "unsure")}
    assert totals == {"hard": 2, "noise": 2, "clean": 1, "unsure": 2}
    # parts of 0.09 from -0.9: -0.5 lies in the fifth, 0.9 in the last
    assert (score["noise"][0], score["noise"][4], score["hard"][19]) == (1, 1, 1)
    assert histograms["loss"]["clean"] == [3]


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled"])
def test_a_run_that_did_not_succeed_has_no_report(
    tenant: Tenant, client: httpx.Client, dataset: str, state: str
) -> None:
    run = add_run(tenant.id, UUID(dataset), state=state)
    answer = client.get(f"/v1/datasets/{dataset}/noise-report", params={"run": str(run)})
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    assert f"The run is {state}:" in answer.json()["detail"]
