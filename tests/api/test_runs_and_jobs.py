"""A run is started once it can end; a job tells its stages, usage and time left."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from services.api.use_cases import check_extent
from services.api.use_cases.start_run import check_budget
from services.shared.db.repos import pauses
from services.shared.db.repos.pauses import Cause
from services.shared.db.session import unit_of_work
from services.shared.errors import InvalidError
from services.shared.llm.budget import DEFAULT_PRICES, Budget
from services.shared.stages import WAITS_FOR, StageName
from services.trainer.snapshot import figures
from tests.api.conftest import Tenant
from tests.api.rows import add_run, add_usage, set_stage

pytestmark = pytest.mark.stack


@pytest.fixture
def client(tenant: Tenant) -> Iterator[httpx.Client]:
    """A writer of this file's project."""
    with tenant.client("write") as client:
        yield client


@pytest.fixture(scope="module")
def dataset(tenant: Tenant) -> str:
    """A dataset with 12 users and 12 items."""
    dataset = tenant.dataset("learned from")
    rows = [{"user_id": f"u{n}", "item_id": f"i{m}"} for n in range(12) for m in range(12)]
    with tenant.client() as client:
        client.post(f"/v1/datasets/{dataset}/interactions", json={"interactions": rows})
    return dataset


def test_a_run_is_a_job_with_every_stage_and_pins_what_it_depends_on(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    body = {"params": {"preset": "paper", "L": 3}, "seed": 7, "budget_pairs": 100}
    answer = client.post(f"/v1/datasets/{dataset}/runs", json=body)
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert (job["kind"], job["state"], job["stage"]) == ("run", "queued", "snapshot")
    assert [stage["name"] for stage in job["stages"]] == [name.value for name in WAITS_FOR]
    assert job["usage"] == {
        "requests": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "usd": 0.0,
    }
    with unit_of_work(tenant.id) as session:
        run = session.execute(text("SELECT * FROM runs WHERE id = :id"), {"id": job["id"]}).one()
    assert (run.dataset_version, run.seed, run.llm) == (1, 7, "winnow-local-rater")
    assert (run.embedder, run.prompt_version) == ("winnow-local-encoder", 2)
    assert (run.spec["params"]["L"], run.spec["params"]["K"]) == (3, 10)
    assert run.spec["params"]["loss"] == "bpr"  # as the preset says
    assert run.dataset_settings["split"]["kind"] == "random"
    listed = client.get(f"/v1/datasets/{dataset}/runs").json()["runs"]
    assert listed[0]["id"] == job["id"]
    assert client.get(answer.headers["location"]).json()["id"] == job["id"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"validate_only": True}, "/validate_only"),
        ({"method": "magic"}, "/method"),
        ({"params": {"L": 99}}, "/params/L"),
        ({"params": {"typo": 1}}, "/params/typo"),
        ({"seed": -1}, "/seed"),
        ({"seed": 2**63}, "/seed"),
        ({"budget_pairs": 0}, "/budget_pairs"),
        ({"prompt_version": 99}, "/prompt_version"),
        ({"webhook_url": "http://example.com"}, "/webhook_url"),
    ],
)
def test_a_wrong_run_is_refused_by_the_place_of_the_fault(
    client: httpx.Client, dataset: str, body: dict[str, object], pointer: str
) -> None:
    answer = client.post(f"/v1/datasets/{dataset}/runs", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_too_little_data_is_told_with_the_counts(tenant: Tenant, client: httpx.Client) -> None:
    small = tenant.dataset("small")
    rows = [{"user_id": f"u{n}", "item_id": "i"} for n in range(11)]
    client.post(f"/v1/datasets/{small}/interactions", json={"interactions": rows})
    answer = client.post(f"/v1/datasets/{small}/runs", json={})
    assert answer.status_code == 422
    assert answer.json()["code"] == "TOO_LITTLE_DATA"
    assert "11 interactions, 11 users, 1 items" in answer.json()["detail"]
    assert len(answer.json()["errors"]) == 1  # users are enough


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"positive": "value>=4"}, "TOO_LITTLE_DATA", "9 interactions, 9 users, 1 items"),
        ({"positive": 'type="sold" AND value<2'}, "TOO_LITTLE_DATA", "0 interactions"),
        ({"positive": "value<3"}, None, ""),
        ({"split": {"kind": "temporal"}}, "SPLIT_IMPOSSIBLE", "132 pairs have none"),
        ({"split": {"kind": "leave_last"}}, "SPLIT_IMPOSSIBLE", "132 pairs have none"),
        ({"split": {"kind": "column"}}, "TOO_LITTLE_DATA", "4 users have"),
    ],
)
def test_a_run_whose_snapshot_would_end_it_is_refused_at_once(
    tenant: Tenant,
    client: httpx.Client,
    settings: dict[str, object],
    code: str | None,
    words: str,
) -> None:
    """12 users by 12 items: item 0 is dated, nine of its values are 4; four rows each judge."""
    dataset = tenant.dataset(f"split {settings}", **settings)
    rows = [
        {
            "user_id": f"u{n}",
            "item_id": f"i{m}",
            "value": 4 if m == 0 and n < 9 else 1,
            "timestamp": 1_700_000_000 if m == 0 else None,
            "split": {1: "val", 2: "test"}.get(m) if n < 4 else None,
        }
        for n in range(12)
        for m in range(12)
    ]
    client.post(f"/v1/datasets/{dataset}/interactions", json={"interactions": rows})
    answer = client.post(f"/v1/datasets/{dataset}/runs", json={})
    assert answer.json().get("code") == code
    assert words in answer.text
    assert answer.status_code == (202 if code is None else 422)


def test_the_minima_are_the_snapshots() -> None:
    mine = check_extent.MIN_USERS, check_extent.MIN_ITEMS, check_extent.MIN_JUDGED
    assert mine == (figures.MIN_USERS, figures.MIN_ITEMS, figures.MIN_JUDGED)


def test_a_dollar_budget_holds_for_the_local_rater_that_costs_nothing(
    client: httpx.Client, dataset: str
) -> None:
    answer = client.post(f"/v1/datasets/{dataset}/runs", json={"budget_usd": "1.50"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("model", "usd", "refused"),
    [
        ("gpt-4o-2024-08-06", Decimal(5), True),  # nothing would stop it at five dollars
        ("somebodys-model", Decimal(5), True),
        ("winnow-local-rater", Decimal(5), False),
        ("gpt-4o-2024-08-06", None, False),
    ],
)
def test_a_dollar_budget_that_would_not_be_kept_is_refused(
    model: str, usd: Decimal | None, *, refused: bool
) -> None:
    price = DEFAULT_PRICES.on(model, date(2026, 1, 1))
    with pytest.raises(InvalidError) if refused else nullcontext():
        check_budget(Budget(pairs=10, usd=usd), price)


def test_a_run_that_waits_is_cancelled_at_once_and_one_that_ended_cannot_be(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    job = client.post(f"/v1/datasets/{dataset}/runs", json={}).json()["id"]
    cancelled = client.post(f"/v1/jobs/{job}:cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["state"] == "cancelled"
    assert {stage["state"] for stage in cancelled.json()["stages"]} == {"cancelled"}
    assert client.post(f"/v1/jobs/{job}:cancel").json()["state"] == "cancelled"
    done = add_run(tenant.id, UUID(dataset), state="succeeded")
    late = client.post(f"/v1/jobs/{done}:cancel")
    assert (late.status_code, late.json()["code"]) == (409, "JOB_ENDED")
    assert client.post(f"/v1/jobs/{uuid4()}:cancel").status_code == 404


def test_an_import_is_cancelled_at_once_unless_a_worker_holds_it(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    states = []
    for lease in ("NULL", "now() + interval '1 minute'", "now() - interval '1 minute'"):
        job = uuid4()
        with unit_of_work(tenant.id) as session:
            values = {"id": job, "project": tenant.id, "dataset": dataset}
            session.execute(
                text(
                    "INSERT INTO jobs (id, project_id, dataset_id, kind, state, progress)"
                    " VALUES (:id, :project, :dataset, 'import', 'running',"
                    """ '{"total": 10, "completed": 5}')"""
                ),
                values,
            )
            session.execute(
                text(
                    "INSERT INTO imports (id, project_id, dataset_id, kind, options, spool_name,"
                    " size_bytes, sha256, accepted, duplicates, rejected, errors, lease_token,"
                    f" lease_until, attempts) VALUES (:id, :project, :dataset, 'users', '{{}}',"
                    f" 'x', 0, '', 0, 0, 0, '[]', 0, {lease}, 0)"
                ),
                values,
            )
        states.append(client.post(f"/v1/jobs/{job}:cancel").json()["state"])
    assert states == ["cancelled", "cancelling", "cancelled"]


def test_usage_is_priced_and_an_unknown_price_stays_unknown(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    run = add_run(tenant.id, UUID(dataset))
    add_usage(tenant.id, run, "winnow-local-rater", prompt=1000, completion=10)
    # list price: 2.50 and 10.00 dollars per million tokens
    add_usage(tenant.id, run, "gpt-4o-2024-08-06", prompt=400_000, completion=100_000)
    assert client.get(f"/v1/jobs/{run}").json()["usage"] == {
        "requests": 2,
        "prompt_tokens": 401_000,
        "completion_tokens": 100_010,
        "usd": 2.0,
    }
    add_usage(tenant.id, run, "somebodys-model", prompt=1, completion=1)
    usage = client.get(f"/v1/jobs/{run}").json()["usage"]
    assert (usage["requests"], usage["usd"]) == (3, None)


def test_time_left_is_null_until_every_stage_is_known_then_the_longest_path(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = UUID(tenant.dataset("timed"))
    run = add_run(tenant.id, dataset)
    assert client.get(f"/v1/jobs/{run}").json()["eta_seconds"] is None
    before = add_run(tenant.id, dataset, state="succeeded")
    for name in WAITS_FOR:
        set_stage(tenant.id, before, name, state="succeeded", seconds=10)
    with unit_of_work(tenant.id) as session:
        session.execute(
            text("UPDATE stages SET finished_at = now() WHERE run_id = :run"), {"run": before}
        )
    progress = {"total": 100, "completed": 25, "failed": 0, "cached": 0}
    set_stage(tenant.id, run, "snapshot", state="running", seconds=20, progress=progress)
    job = client.get(f"/v1/jobs/{run}").json()
    # snapshot has 60 s left; embed, align, candidates, rate, refine, train, evaluate, publish: 10
    assert job["eta_seconds"] == pytest.approx(60 + 8 * 10, abs=3)
    assert job["stage"] == "snapshot"
    assert job["stages"][0]["seconds"] == pytest.approx(20, abs=2)


def test_a_parked_stage_is_described_though_its_lease_never_ends(
    tenant: Tenant, client: httpx.Client
) -> None:
    run = add_run(tenant.id, UUID(tenant.dataset("parked")))
    progress = {"total": 8, "completed": 2, "failed": 1, "cached": 1}
    set_stage(tenant.id, run, "rate", state="running", lease_until=text("'infinity'"))
    set_stage(tenant.id, run, "rate", progress=progress)
    job = client.get(f"/v1/jobs/{run}").json()
    assert job["progress"] == progress
    assert next(s for s in job["stages"] if s["name"] == "rate")["state"] == "running"


def test_jobs_are_listed_newest_first_page_by_page(tenant: Tenant, client: httpx.Client) -> None:
    dataset = UUID(tenant.dataset("many"))
    runs = [str(add_run(tenant.id, dataset)) for _ in range(5)]
    path, seen, token = f"/v1/datasets/{dataset}/runs", [], None
    while True:
        params = {"page_size": 2} | ({"page_token": token} if token else {})
        page = client.get(path, params=params).json()
        seen += [job["id"] for job in page["runs"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert seen == runs[::-1]
    newest = client.get("/v1/jobs", params={"page_size": 1}).json()["jobs"][0]
    assert newest["id"] == runs[-1]


def test_a_job_is_paused_resumed_and_tried_again_over_http(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    run = add_run(tenant.id, UUID(dataset))
    assert client.get(f"/v1/jobs/{run}").json()["pause"] is None
    refused = client.post(f"/v1/jobs/{run}:resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "NOT_PAUSED")
    assert refused.json()["detail"] == "The job is running, not paused."
    for _ in range(2):  # once more changes nothing
        paused = client.post(f"/v1/jobs/{run}:pause").json()
        assert (paused["state"], paused["pause"]["code"]) == ("paused", "ASKED")
        assert (paused["pause"]["retry_at"], paused["pause"]["stage"]) == (None, None)
    refused = client.post(f"/v1/jobs/{run}:retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "NOT_FAILED")
    resumed = client.post(f"/v1/jobs/{run}:resume").json()
    assert (resumed["state"], resumed["pause"]) == ("running", None)
    client.post(f"/v1/jobs/{run}:cancel")
    for verb in ("pause", "resume"):
        refused = client.post(f"/v1/jobs/{run}:{verb}")
        assert (refused.status_code, refused.json()["code"]) == (409, "JOB_ENDED")
        assert refused.json()["detail"] == "The job has been cancelled already."
    again = client.post(f"/v1/jobs/{run}:retry").json()
    assert (again["state"], again["finished_at"], again["stage"]) == ("queued", None, "snapshot")


def test_a_paused_job_tells_why_since_when_and_until_when(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    run = add_run(tenant.id, UUID(dataset))
    cause = Cause(code="LLM_AWAY", detail="The LLM's endpoint is away: the connection failed.")
    with unit_of_work(tenant.id) as session:
        pauses.hold_stage(session, run, StageName.RATE, cause)
    job = client.get(f"/v1/jobs/{run}").json()
    assert job["state"] == "paused"
    assert job["pause"] == {
        "code": "LLM_AWAY",
        "detail": cause.detail,
        "stage": "rate",
        "since": job["pause"]["since"],
        "retry_at": job["pause"]["retry_at"],
    }
    assert job["pause"]["since"] < job["pause"]["retry_at"]
    before = job["pause"]["retry_at"]
    tried = client.post(f"/v1/jobs/{run}:resume").json()  # due at once; whoever tries it says more
    assert (tried["state"], tried["pause"]["code"]) == ("paused", "LLM_AWAY")
    assert tried["pause"]["retry_at"] < before


def test_a_job_of_a_deleted_dataset_is_not_tried_again(
    tenant: Tenant, client: httpx.Client
) -> None:
    dataset = tenant.dataset("deleted")
    run = add_run(tenant.id, UUID(dataset))
    client.delete(f"/v1/datasets/{dataset}")
    refused = client.post(f"/v1/jobs/{run}:retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "DATASET_DELETED")


def test_only_a_writer_of_the_project_steers_its_jobs(
    tenant: Tenant, client: httpx.Client, dataset: str
) -> None:
    run = add_run(tenant.id, UUID(dataset))
    for verb in ("pause", "resume", "retry"):
        with tenant.client("read") as reader, tenant.api.project().client("write") as stranger:
            assert reader.post(f"/v1/jobs/{run}:{verb}").status_code == 403
            assert stranger.post(f"/v1/jobs/{run}:{verb}").status_code == 404
    assert client.get(f"/v1/jobs/{run}").json()["state"] == "running"
