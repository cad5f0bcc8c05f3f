"""What happened to a job: as pages, and as a stream that is resumed without loss or repetition."""

import threading
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from services.api import event_stream
from services.api.event_stream import Streams
from services.api.resume import wants_stream
from services.api.use_cases.follow_job import Look
from services.shared.db.repos import jobs, stages
from services.shared.db.session import engine, unit_of_work
from services.shared.db.tables import Job
from services.shared.stages import StageName
from tests.api.conftest import Api, Tenant
from tests.api.rows import add_run, set_stage
from tests.api.streams import following, until_end
from tests.waiting import until

pytestmark = pytest.mark.stack


@pytest.fixture
def client(tenant: Tenant) -> Iterator[httpx.Client]:
    with tenant.client("read") as client:
        yield client


@pytest.fixture
def run(tenant: Tenant) -> UUID:
    """A run under way: job.queued, stage.ready, job.running."""
    return add_run(tenant.id, UUID(tenant.dataset(str(uuid4()))))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LOOK_SECONDS", 0.05)


def step(tenant: Tenant, run: UUID, name: StageName, **figures: object) -> None:
    """Let a worker claim a stage and end it well."""
    with unit_of_work(tenant.id) as session:
        lease = stages.claim(session, run, name)
    assert lease is not None
    with unit_of_work(tenant.id) as session:
        stages.finish(session, lease, figures)


def end(tenant: Tenant, run: UUID, state: str = "succeeded") -> None:
    with unit_of_work(tenant.id) as session:
        jobs.end(session, run, state, result={"model_id": "m", "histogram": [1, 2]})


def kinds(client: httpx.Client, run: UUID, **params: object) -> list[str]:
    answer = client.get(f"/v1/jobs/{run}/events", params=params)
    assert answer.status_code == 200, answer.text
    return [event["kind"] for event in answer.json()["events"]]


def test_a_runs_events_are_listed_oldest_first_with_what_they_tell(
    tenant: Tenant, client: httpx.Client, run: UUID
) -> None:
    step(tenant, run, StageName.SNAPSHOT, train=9, degrees={"min": 1})
    end(tenant, run)
    told = client.get(f"/v1/jobs/{run}/events").json()
    assert told["next_page_token"] is None
    assert [event["id"] for event in told["events"]] == list(range(1, len(told["events"]) + 1))
    assert [(event["kind"], event["stage"]) for event in told["events"]] == [
        ("job.queued", None),
        ("stage.ready", "snapshot"),
        ("job.running", None),
        ("stage.running", "snapshot"),
        ("stage.succeeded", "snapshot"),
        ("stage.ready", "embed"),
        ("stage.ready", "pretrain"),
        ("job.succeeded", None),
    ]
    by_kind = {event["kind"]: event["data"] for event in told["events"]}
    assert by_kind["stage.running"] == {"attempt": 1}
    done = by_kind["stage.succeeded"]
    assert done.pop("seconds") >= 0
    assert done == {"attempt": 1, "figures": {"train": 9}}
    assert by_kind["job.succeeded"]["result"] == {"model_id": "m"}
    moments = [event["at"] for event in told["events"]]
    assert moments == sorted(moments)


def test_events_come_page_by_page_and_after_any_of_them(
    tenant: Tenant, client: httpx.Client, run: UUID
) -> None:
    step(tenant, run, StageName.SNAPSHOT)
    every, token, seen = kinds(client, run), None, []
    while True:
        params = {"page_size": 2} | ({"page_token": token} if token else {})
        page = client.get(f"/v1/jobs/{run}/events", params=params).json()
        seen += [event["kind"] for event in page["events"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert seen == every
    assert kinds(client, run, after=3) == every[3:]
    assert kinds(client, run, last_event_id="3") == every[3:]
    assert kinds(client, run, after=10**6) == []


def test_a_wrong_last_event_id_is_told_with_what_would_be_right(
    client: httpx.Client, run: UUID
) -> None:
    answer = client.get(f"/v1/jobs/{run}/events", headers={"Last-Event-ID": "yesterday"})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "INVALID_LAST_EVENT_ID"
    assert problem["detail"].endswith("such as 7.")
    assert problem["errors"][0]["pointer"] == "/header/Last-Event-ID"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_another_project_finds_no_events_in_either_form(
    api: Api, run: UUID, accept: str, stranger: Tenant
) -> None:
    with stranger.client("admin") as client:
        answer = client.get(f"/v1/jobs/{run}/events", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.fixture(scope="module")
def stranger(api: Api) -> Tenant:
    return api.project()


def test_a_stream_follows_the_run_while_it_goes_on_and_ends_with_it(
    tenant: Tenant, client: httpx.Client, run: UUID
) -> None:
    with following(client, run) as found:
        for expected in ("job.queued", "stage.ready", "job.running"):
            assert next(found).kind == expected
        first = next(found)
        assert (first.kind, first.id) == ("progress", None)
        assert first.json()["state"] == "running"
        step(tenant, run, StageName.SNAPSHOT)
        end(tenant, run)
        rest = until_end(found)
    assert [one.kind for one in rest] == [
        "stage.running",
        "stage.succeeded",
        "stage.ready",
        "stage.ready",
        "job.succeeded",
        "end",
    ]
    assert rest[-1].json() == {"state": "succeeded"}
    listed = client.get(f"/v1/jobs/{run}/events").json()["events"]
    assert [one.json() for one in rest[:-1]] == listed[3:]
    assert [one.id for one in rest] == ["4", "5", "6", "7", "8", "8/end"]


def test_a_stream_resumes_in_the_middle_without_loss_or_repetition(
    tenant: Tenant, client: httpx.Client, run: UUID
) -> None:
    with following(client, run) as found:
        last = [next(found).id for _ in range(2)][-1]
    step(tenant, run, StageName.SNAPSHOT)  # while nobody listens
    end(tenant, run)
    with following(client, run, last) as found:
        resumed = [one.id for one in until_end(found)]
    with following(client, run, last_event_id="2") as found:
        assert [one.id for one in until_end(found)] == resumed
    assert resumed == ["3", "4", "5", "6", "7", "8", "8/end"]


def test_after_the_end_a_reader_that_missed_it_hears_it_and_one_that_heard_it_is_sent_away(
    tenant: Tenant, client: httpx.Client, run: UUID
) -> None:
    end(tenant, run)
    with following(client, run, "4") as found:
        assert [one.kind for one in until_end(found)] == ["end"]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "4/end"}
    answer = client.get(f"/v1/jobs/{run}/events", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")  # a browser does not come again
    with following(client, run, "3/end") as found:  # something came after that end
        assert [one.kind for one in until_end(found)] == ["job.succeeded", "end"]


def test_progress_is_told_when_it_changes_and_a_heartbeat_when_nothing_does(
    tenant: Tenant, client: httpx.Client, run: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.2)
    with following(client, run, "3") as found:
        assert next(found).kind == "progress"
        assert next(found).kind == "comment"
        counts = {"total": 8, "completed": 4, "failed": 0, "cached": 0}
        set_stage(tenant.id, run, "rate", progress=counts)
        told = next(one for one in found if one.kind == "progress").json()
    assert told["progress"] == counts
    assert told.keys() == {"state", "stage", "progress", "eta_seconds"}


def test_a_waiting_stream_holds_no_connection_and_a_reader_who_leaves_frees_everything(
    api: Api, client: httpx.Client, run: UUID
) -> None:
    streams: Streams = api.routes.state.streams
    pool = engine("database_url").pool
    with following(client, run, "3") as found:
        next(found)
        assert streams.open == 1
        held = [_taken(pool) for _ in range(40)]
        assert held.count(0) > 20
    until(lambda: streams.open == 0)
    until(lambda: _taken(pool) == 0)


def _taken(pool: object) -> int:
    time.sleep(0.01)
    return pool.checkedout()  # type: ignore[attr-defined,no-any-return]


def test_a_stream_too_many_is_refused_and_told_when_to_come_back(
    api: Api, client: httpx.Client, run: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: Streams = api.routes.state.streams
    monkeypatch.setattr(streams, "open", 100)
    headers = {"Accept": "text/event-stream"}
    answer = client.get(f"/v1/jobs/{run}/events", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (429, "TOO_MANY_STREAMS")
    assert answer.headers["retry-after"] == "10"
    assert answer.headers["content-type"] == "application/problem+json"
    assert streams.open == 100
    assert client.get(f"/v1/jobs/{run}/events").status_code == 200


def test_a_revoked_keys_stream_ends(api: Api) -> None:
    tenant = api.project()
    run = add_run(tenant.id, UUID(tenant.dataset("revoked")))
    prefix = tenant.keys["read"].split("_")[1]
    with (
        tenant.client("read") as reader,
        tenant.client("admin") as admin,
        following(reader, run, "3") as found,
    ):
        assert next(found).kind == "progress"
        assert admin.delete(f"/v1/keys/{prefix}").status_code == 204
        closed = [one for one in found if one.kind == "closed"]
    assert closed[0].json()["code"] == "UNAUTHENTICATED"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While set, looks at a job meet a Postgres that is gone."""
    gone, look = threading.Event(), event_stream.look

    def cut_off(*where: UUID, after: int) -> Look:
        if gone.is_set():
            raise OperationalError("SELECT", {}, ConnectionError())
        return look(*where, after=after)

    monkeypatch.setattr(event_stream, "look", cut_off)
    return gone


def test_a_stream_outlives_a_short_absence_of_postgres(
    tenant: Tenant, client: httpx.Client, run: UUID, away: threading.Event
) -> None:
    with following(client, run) as found:
        assert next(found).id == "1"
        away.set()
        time.sleep(0.3)
        away.clear()
        end(tenant, run)
        assert [one.id for one in until_end(found)] == ["2", "3", "4", "4/end"]


def test_a_stream_whose_postgres_stays_away_breaks_off_so_that_its_reader_asks_elsewhere(
    client: httpx.Client, run: UUID, away: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "AWAY_SECONDS", 0.2)
    with following(client, run, "3") as found:
        assert next(found).kind == "progress"
        away.set()
        assert [one.kind for one in found] == []


def test_a_deleted_jobs_stream_ends_and_its_events_go_with_it(
    tenant: Tenant, client: httpx.Client, run: UUID
) -> None:
    with following(client, run, "3") as found:
        assert next(found).kind == "progress"
        with unit_of_work(tenant.id) as session:
            session.execute(delete(Job).where(Job.id == run))
        ended = until_end(found)
    assert ended[-1].json() == {"state": "deleted"}
    assert client.get(f"/v1/jobs/{run}/events").status_code == 404


def test_streams_end_when_the_server_is_told_to_stop(
    api: Api, client: httpx.Client, run: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()
    monkeypatch.setattr(event_stream, "STOPPING", stopping)
    with following(client, run, "3") as found:
        assert next(found).kind == "progress"
        stopping.set()
        assert [one.kind for one in found if one.kind != "progress"] == []


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "text/event-stream, application/json;q=0.5",
        "Text/Event-Stream;q=0.1",
    ],
)
def test_the_stream_is_sent_to_who_asks_for_it(accept: str) -> None:
    assert wants_stream(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json, text/event-stream;q=0.9",
        "text/event-stream;q=0",
        "text/event-stream;q=much",
        "*/*",
        "",
    ],
)
def test_everybody_else_gets_the_list(accept: str) -> None:
    assert not wants_stream(accept)
