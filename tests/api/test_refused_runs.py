"""A run on a dataset with too little is refused at once, in whole sentences; an estimate alike."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.shared.db.repos import samples
from services.shared.db.session import unit_of_work
from tests.api.conftest import Tenant
from tests.api.rows import add_run, set_stage

pytestmark = pytest.mark.stack
Json = dict[str, Any]
DAY = 86_400


def _rows(users: int, items: int, **fields: object) -> list[Json]:
    """Return every user with every item, a day apart."""
    return [
        {"user_id": f"u{u:02d}", "item_id": f"i{i:02d}", "timestamp": 1_700_000_000 + DAY * i}
        | fields
        for u in range(users)
        for i in range(items)
    ]


def _thin(users: int, pairs: int) -> list[Json]:
    """Return users with `pairs` items each, of twelve."""
    return [
        row
        for row in _rows(users, 12)
        if (int(row["item_id"][1:]) - int(row["user_id"][1:])) % 12 < pairs
    ]


FEW = "Too little to train and evaluate:"
LEFT = "Too little is left to train and evaluate with"
CASES: dict[str, tuple[list[Json], Json, str, list[str]]] = {
    "nothing": (
        [],
        {},
        f"{FEW} 0 interactions, 0 users, 0 items.",
        ["0 users have interactions, 10 are needed.", "0 items have interactions, 10 are needed."],
    ),
    "one user": (
        _rows(1, 12),
        {},
        f"{FEW} 12 interactions, 1 users, 12 items.",
        ["1 users have interactions, 10 are needed."],
    ),
    "one item": (
        _rows(12, 1),
        {},
        f"{FEW} 12 interactions, 12 users, 1 items.",
        ["1 items have interactions, 10 are needed."],
    ),
    "no positives": (
        _rows(12, 12, value=3.0),
        {"positive": "value>=4"},
        f"{FEW} 0 interactions, 0 users, 0 items where value>=4.",
        ["0 users have interactions, 10 are needed.", "0 items have interactions, 10 are needed."],
    ),
    "no values at all": (
        _rows(12, 12),
        {"positive": 'type="sold" AND value!=0'},
        f'{FEW} 0 interactions, 0 users, 0 items where type="sold" AND value!=0.',
        ["0 users have interactions, 10 are needed.", "0 items have interactions, 10 are needed."],
    ),
    "least degree of users": (
        _thin(20, 4),
        {"min_user_degree": 5},
        f"{LEFT} min_user_degree 5 and min_item_degree 1.",
        ["0 users have 5 different items or more, 10 are needed."],
    ),
    "least degree of items": (
        _thin(20, 4),
        {"min_item_degree": 9},
        f"{LEFT} min_user_degree 1 and min_item_degree 9.",
        ["0 items have 9 different users or more, 10 are needed."],
    ),
    "nobody's last": (
        _thin(20, 2),
        {"split": {"kind": "leave_last"}},
        f"{LEFT} min_user_degree 1 and min_item_degree 1 under the split leave_last.",
        ["0 users have 3 different items or more, 5 are needed."],
    ),
    "nothing to choose by": (
        _rows(12, 12),
        {"split": {"val": 0}},
        (
            "The dataset's split.val is 0, so there is nothing to choose the best epoch by; "
            "at least 5 users need an interaction there."
        ),
        [],
    ),
    "nothing to judge by": (
        _rows(12, 12),
        {"split": {"kind": "temporal", "test": 0}},
        (
            "The dataset's split.test is 0, so there is nothing to judge by; "
            "at least 5 users need an interaction there."
        ),
        [],
    ),
    "no times": (
        _rows(12, 12, timestamp=None),
        {"split": {"kind": "temporal"}},
        "The split temporal reads times, and 144 pairs have none.",
        [],
    ),
    "no column": (
        _rows(12, 12),
        {"split": {"kind": "column"}},
        f"{FEW} 144 interactions, 12 users, 12 items.",
        [
            "0 users have interactions with the split val, 5 are needed.",
            "0 users have interactions with the split test, 5 are needed.",
        ],
    ),
}


def _filled(tenant: Tenant, name: str, rows: list[Json], **settings: object) -> str:
    dataset = tenant.dataset(name, **settings)
    with tenant.client() as client:
        body = {"interactions": rows}
        assert client.post(f"/v1/datasets/{dataset}/interactions", json=body).is_success
    return dataset


@pytest.mark.parametrize("name", CASES)
def test_too_little_is_refused_at_once_by_a_run_and_by_its_estimate(
    tenant: Tenant, name: str
) -> None:
    rows, settings, sentence, faults = CASES[name]
    dataset = _filled(tenant, name, rows, **settings)
    with tenant.client() as client:
        for body in ({}, {"validate_only": True}):
            answer = client.post(f"/v1/datasets/{dataset}/runs", json=body)
            assert answer.status_code == 422
            assert answer.json()["detail"] == sentence
            assert [fault["detail"] for fault in answer.json()["errors"]] == (faults or [sentence])
        assert client.get(f"/v1/datasets/{dataset}/runs").json()["runs"] == []


def test_an_estimate_refuses_what_only_the_snapshot_would_have_found(tenant: Tenant) -> None:
    """A chain: each leaves because the one before has left, and nobody is left."""
    rows = [
        {"user_id": f"u{n:02d}", "item_id": f"i{item:02d}"}
        for n in range(30)
        for item in (n, n + 1)
    ]
    dataset = _filled(tenant, "a chain", rows, min_user_degree=2, min_item_degree=2)
    with tenant.client() as client:
        started = client.post(f"/v1/datasets/{dataset}/runs", json={})
        estimate = client.post(f"/v1/datasets/{dataset}/runs", json={"validate_only": True})
        report = client.get(f"/v1/datasets/{dataset}/preflight").json()
    assert started.status_code == 202  # counted once only: the snapshot ends it
    assert (estimate.status_code, estimate.json()["code"]) == (422, "TOO_LITTLE_DATA")
    assert estimate.json()["detail"] == (
        "Too little would be left to train and evaluate: "
        "0 users with training interactions, 10 are needed. "
        "0 items with training interactions, 10 are needed. "
        "0 users with validation items, 5 are needed. "
        "0 users with test items, 5 are needed."
    )
    assert report["core"]["settled"]
    assert report["core"]["pairs_lost"] == 60


def test_an_estimate_starts_nothing_and_writes_nothing(tenant: Tenant) -> None:
    dataset = _filled(tenant, "estimated", _rows(12, 12))
    tables = ("jobs", "runs", "stages", "usage", "idempotency_keys")

    def counts() -> list[int]:
        with unit_of_work(tenant.id) as session:
            found = [session.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables]
        return [int(number or 0) for number in found]

    before = counts()
    with tenant.client() as client:
        path = f"/v1/datasets/{dataset}/runs"
        headers = {"Idempotency-Key": "an-estimate"}
        first = client.post(path, json={"validate_only": True}, headers=headers)
        assert first.status_code == 200, first.text
        assert counts() == before
        other = {"validate_only": True, "budget_pairs": 7}
        again = client.post(path, json=other, headers=headers)
    assert "Idempotency-Replayed" not in again.headers
    assert (first.json()["pairs"], again.json()["pairs"]) == (24 + 12 * 4, 7)
    assert first.json()["usd"] == 0.0
    assert first.json()["minutes"] is None
    codes = {warning["code"] for warning in first.json()["warnings"]}
    assert {"NO_TEXTS", "USERS_WITHOUT_TEXTS"} <= codes


def test_a_dataset_without_texts_may_be_run_and_is_warned_about(tenant: Tenant) -> None:
    dataset = _filled(tenant, "speechless", _rows(12, 12))
    with tenant.client() as client:
        report = client.get(f"/v1/datasets/{dataset}/preflight").json()
        started = client.post(f"/v1/datasets/{dataset}/runs", json={})
    assert report["trainable"]["enough"]
    assert "NO_TEXTS" in {warning["code"] for warning in report["warnings"]}
    assert started.status_code == 202


def test_minutes_follow_the_last_run_and_dollars_the_price(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _filled(tenant, "timed before", _rows(20, 12))
    run = add_run(tenant.id, UUID(dataset), state="succeeded")
    figures = {"snapshot": {"train": 168}, "rate": {"calls": 100, "cached": 0, "rated": 100}}
    for stage in ("snapshot", "rate", "train"):
        set_stage(
            tenant.id, run, stage, state="succeeded", figures=figures.get(stage, {}), seconds=60
        )
    with unit_of_work(tenant.id) as session:
        session.execute(
            text(
                "UPDATE stages SET finished_at = now() WHERE run_id = :run"
                " AND started_at IS NOT NULL"
            ),
            {"run": run},
        )
    body = {"validate_only": True, "budget_pairs": 50, "params": {"epochs": 12}}
    with tenant.client() as client:
        found = client.post(f"/v1/datasets/{dataset}/runs", json=body).json()
        other = client.post(f"/v1/datasets/{dataset}/runs", json=body | {"backbone": "ngcf"}).json()
    told = "The last run trained another backbone."
    assert (other["minutes"], other["minutes_basis"]) == (None, told)
    # snapshot 1, 100 calls at the rate of 100 a minute 1, train: no epochs are known of before
    assert found["prompts"] == 100
    assert found["minutes_basis"] == "At the rates of the dataset's last run."
    assert found["minutes"] == pytest.approx(1 + 1 + 12, abs=0.1)


def test_of_a_user_who_took_much_an_estimate_reads_a_part(tenant: Tenant) -> None:
    twice = _rows(2, 12) + _rows(2, 12, type="again")
    dataset = _filled(tenant, "much taken", twice)
    with unit_of_work(tenant.id) as session:
        part, every = (
            samples.pairs_of(session, UUID(dataset), ["u00", "u01"], (), most=most)
            for most in (5, 99)
        )
    assert {user: sorted(items) for user, items in every.items()} == {
        user: [f"i{n:02d}" for n in range(12)] for user in ("u00", "u01")
    }
    assert part == {user: items[:5] for user, items in every.items()}
    assert part["u00"] != part["u01"], "each by an order of their own"
