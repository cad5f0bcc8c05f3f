"""What a scrape of the api tells: requests by route, what waits, what was spent; nobody's ids."""

import re
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.api import metrics
from services.shared.db.session import engine
from services.shared.settings import settings
from tests.api.conftest import Api, Tenant
from tests.api.rows import Rows, add_model, add_run, add_usage

pytestmark = pytest.mark.stack
RAW: Rows = {"reader@example.org": [("secret-item", 1.0, [])]}
ANYBODY = "/v1/datasets/{dataset}/recommendations/{user_id}"
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}|wn_|example\.org|secret-item|doings")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    held = next(iter(api.routes.state.metrics._collector_to_names))
    for question in (held._work, held._queues):
        monkeypatch.setattr(question, "_fresh_seconds", 0.0)
    monkeypatch.setattr(metrics, "PATIENCE_SECONDS", 20.0)


@pytest.fixture
def nobody(api: Api) -> Iterator[httpx.Client]:
    with api.as_(None) as client:
        yield client


def scrape(client: httpx.Client) -> list[Sample]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return [
        sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    ]


def value(samples: list[Sample], name: str, **labels: str) -> float:
    """Return the sum of the samples that have these labels."""
    wanted = labels.items()
    return sum(one.value for one in samples if one.name == name and wanted <= one.labels.items())


def test_requests_are_counted_by_the_route_as_declared(
    tenant: Tenant, nobody: httpx.Client
) -> None:
    before = scrape(nobody)
    with tenant.client() as client:
        client.get("/v1/datasets")
        client.get("/v1/jobs/unknown")
        client.get("/v1/nothing/like/this")
    nobody.get("/v1/datasets")
    after = scrape(nobody)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    counted = "winnow_http_requests_total"
    assert grown(counted, route="/v1/datasets", method="GET", status="200") == 1
    assert grown(counted, route="/v1/jobs/{job}", status="404") == 1
    assert grown(counted, route="other", status="404") == 1
    assert grown(counted, route="other", status="401") == 1  # before any routing
    assert grown("winnow_http_request_seconds_count", route="/v1/datasets") == 1
    assert value(after, "winnow_http_in_flight") == 1  # this scrape


def test_recommendations_are_counted_by_what_answered(
    api: Api, tenant: Tenant, nobody: httpx.Client
) -> None:
    dataset = tenant.dataset("doings")
    add_model(api.store, tenant.id, UUID(dataset), raw=RAW, denoised=RAW)
    before = scrape(nobody)
    with tenant.client("read") as client:
        known = f"/v1/datasets/{dataset}/recommendations/reader@example.org"
        tag = client.get(known).headers["etag"]
        client.get(known, headers={"If-None-Match": tag})
        client.get(f"/v1/datasets/{dataset}/recommendations/stranger@example.org")
        client.get(known, params={"k": "0"})
    after = scrape(nobody)
    for strategy in ("model", "popular", "unchanged"):
        name = "winnow_recommendations_total"
        grown = value(after, name, strategy=strategy) - value(before, name, strategy=strategy)
        assert grown == 1, strategy
    by_status = {
        status: value(after, "winnow_http_requests_total", route=ANYBODY, status=status)
        for status in ("200", "304", "422")
    }
    assert by_status == {"200": 2, "304": 1, "422": 1}
    assert value(after, "winnow_lists", state="serving") == 1
    assert value(after, "winnow_lists_read_total", ending="mapped") >= 1


def test_work_and_spending_are_sums_over_all_projects(
    api: Api, tenant: Tenant, nobody: httpx.Client, valkey_url: str
) -> None:
    other = api.project()
    before = scrape(nobody)
    for one in (tenant, other):
        run = add_run(one.id, UUID(one.dataset("summed")))
        add_usage(one.id, run, "winnow-local-rater", prompt=100, completion=7)
    with redis.Redis.from_url(valkey_url) as client:
        client.rpush("train", "hint")
        after = scrape(nobody)
        client.delete("train")
    rate = {"kind": "chat", "model": "winnow-local-rater", "status": "ok"}

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("winnow_jobs", kind="run", state="running") == 2
    assert grown("winnow_stages", stage="snapshot", state="ready") == 2
    assert grown("winnow_llm_attempts_total", **rate) == 2
    assert grown("winnow_llm_tokens_total", **rate, direction="prompt") == 200
    assert grown("winnow_llm_tokens_total", **rate, direction="completion") == 14
    assert value(after, "winnow_queue_messages", queue="train") >= 1
    assert value(after, "winnow_up", dependency="postgres") == 1
    assert value(after, "winnow_up", dependency="valkey") == 1
    assert value(after, "winnow_oldest_stage_seconds", stage="snapshot", state="ready") > 0
    assert value(after, "winnow_database_connections") > 0


def test_nobodys_id_name_or_key_is_in_it(tenant: Tenant, nobody: httpx.Client) -> None:
    dataset = tenant.dataset("doings of somebody")
    with tenant.client() as client:
        client.get(f"/v1/datasets/{dataset}/users/reader@example.org")
        client.request("SECRET", f"/v1/datasets/{dataset}")
    text = nobody.get("/metrics").text
    assert ID.findall(text) == []
    assert "SECRET" not in text


def test_a_scrape_does_without_what_is_away(
    api: Api, nobody: httpx.Client, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"127.0.0.1:{free_port}"
    monkeypatch.setenv("WINNOW_DATABASE_URL", f"postgresql+psycopg://winnow_app:x@{url}/x")
    monkeypatch.setenv("WINNOW_REDIS_URL", f"redis://{url}/0")
    running = engine("database_url")
    settings.cache_clear()
    engine.cache_clear()
    try:
        found = scrape(nobody)
    finally:
        monkeypatch.undo()
        running.dispose()
        settings.cache_clear()
        engine.cache_clear()
    assert value(found, "winnow_up") == 0
    assert not [one for one in found if one.name == "winnow_jobs"]
    assert value(found, "winnow_http_requests_total") > 0
