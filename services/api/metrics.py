"""What the api counts: requests as they pass, and at each scrape what others hold.

The scrape waits for nobody: what Postgres or Valkey does not tell within a second is left out,
and `winnow_up` says so.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from services.api.asking import Question
from services.api.event_stream import Streams
from services.api.served import Shelf
from services.shared import presence
from services.shared.db.repos import workload
from services.shared.db.repos.workload import Load, Spent
from services.shared.db.session import engine, unit_of_work
from services.shared.queues import Queue

RECOMMENDATIONS = "/v1/datasets/{dataset}/recommendations/{user_id}"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
FRESH_SECONDS = 5.0
PATIENCE_SECONDS = 1.0
STATEMENT_MILLISECONDS = 2000

# From a mapped list (under a millisecond) to an upload of gigabytes.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)

ANSWERED: Counter[str] = Counter()
"""Lists answered, by what they came from; counted on the event loop, as `Meter` does."""


@dataclass
class _Times:
    """How long the answers of one route took to begin."""

    by_bucket: list[int]
    seconds: float = 0.0


class Meter:
    """Counts the requests of one application, on its event loop: so without any lock.

    The library's counters would cost a recommendation a tenth of its time, these a thirtieth:
    `python -m benchmarks.metrics_cost`.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: dict[tuple[str | None, str, int], int] = {}
        self._times: dict[tuple[str | None, str], _Times] = {}

    def note(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count a request whose answer began after so long."""
        if method not in METHODS:
            method = OTHER
        key = route, method, status
        self._requests[key] = self._requests.get(key, 0) + 1
        times = self._times.get((route, method))
        if times is None:
            times = self._times[route, method] = _Times([0] * (len(BUCKETS) + 1))
        times.by_bucket[bisect_left(BUCKETS, seconds)] += 1
        times.seconds += seconds

    def told(self) -> Iterator[Metric]:
        """Yield what was counted, in the library's words."""
        labels = ["route", "method"]
        requests = CounterMetricFamily(
            "winnow_http_requests", "Requests answered.", labels=[*labels, "status"]
        )
        for (route, method, status), count in list(self._requests.items()):
            requests.add_metric([route or OTHER, method, str(status)], count)
        took = HistogramMetricFamily(
            "winnow_http_request_seconds", "Time until an answer began.", labels=labels
        )
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        for (route, method), times in list(self._times.items()):
            cumulated = list(zip(bounds, accumulate(times.by_bucket), strict=True))
            took.add_metric([route or OTHER, method], cumulated, times.seconds)
        yield from (requests, took)


class Held(Collector):
    """What is read at each scrape: the served lists, the streams, Postgres, the queues."""

    def __init__(self, *, meter: Meter, shelf: Shelf, streams: Streams) -> None:
        self._meter = meter
        self._shelf = shelf
        self._streams = streams
        self._work = Question("metrics work", _read_work, FRESH_SECONDS)
        self._queues = Question("metrics queues", _read_queues, FRESH_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """Yield everything, within a second or so."""
        until = time.monotonic() + PATIENCE_SECONDS
        asked = self._work.begin(), self._queues.begin()
        work, queues = asked[0].answer(until), asked[1].answer(until)
        up = _gauge("winnow_up", "Whether it told the figures below: 1 or 0.", "dependency")
        up.add_metric(["postgres"], work is not None)
        up.add_metric(["valkey"], queues is not None)
        yield up
        yield from self._own()
        if work is not None:
            yield from _load(work[0])
            yield from _spent(work[1])
        if queues is not None:
            depth = _gauge("winnow_queue_messages", "Messages that wait in Valkey.", "queue")
            for name, messages in queues.items():
                depth.add_metric([name], messages)
            yield depth

    def _own(self) -> Iterator[Metric]:
        yield from self._meter.told()
        answered = CounterMetricFamily(
            "winnow_recommendations", "Lists answered, by what they came from.", labels=["strategy"]
        )
        for strategy, count in list(ANSWERED.items()):
            answered.add_metric([strategy], count)
        yield answered
        yield GaugeMetricFamily(
            "winnow_http_in_flight", "Requests under way, streams included.", self._meter.in_flight
        )
        yield GaugeMetricFamily(
            "winnow_event_streams", "Open streams of events.", self._streams.open
        )
        lists = _gauge("winnow_lists", "Models by how their lists are held.", "state")
        for state, count in self._shelf.counts().items():
            lists.add_metric([state], count)
        yield lists
        pool = engine("database_url").pool
        if isinstance(pool, QueuePool):
            held = _gauge("winnow_database_connections", "Connections to Postgres.", "state")
            held.add_metric(["used"], pool.checkedout())
            held.add_metric(["idle"], pool.checkedin())
            yield held


def application(app: FastAPI) -> CollectorRegistry:
    """Return the registry of what one application holds; counters are the process' own."""
    registry = CollectorRegistry()
    state = app.state
    registry.register(Held(meter=state.meter, shelf=state.shelf, streams=state.streams))
    return registry


def _read_work() -> tuple[list[Load], list[Spent]] | None:
    try:
        with unit_of_work() as session:
            workload.hurry(session, milliseconds=STATEMENT_MILLISECONDS)
            return workload.load(session), workload.spent(session)
    except SQLAlchemyError:
        return None


def _read_queues() -> dict[str, int] | None:
    try:
        with presence.connect() as client:
            waiting = {queue.value: int(str(client.llen(queue.value))) for queue in Queue}
            return waiting | {"unacknowledged": int(str(client.hlen("unacked")))}
    except (RedisError, OSError):
        return None


def _load(rows: list[Load]) -> Iterator[Metric]:
    jobs = _gauge("winnow_jobs", "Jobs that there are.", "kind", "state")
    oldest = _gauge("winnow_oldest_queued_job_seconds", "Age of the oldest queued job.", "kind")
    stages = _gauge("winnow_stages", "Stages ready or running.", "stage", "state")
    age = _gauge(
        "winnow_oldest_stage_seconds", "Since the oldest was sent or begun.", "stage", "state"
    )
    for row in rows:
        both = [row.kind, row.state]
        (jobs if row.what == "jobs" else stages).add_metric(both, row.n)
        if row.oldest_seconds is None:
            continue
        if row.what == "stages":
            age.add_metric(both, row.oldest_seconds)
        elif row.state == "queued":
            oldest.add_metric([row.kind], row.oldest_seconds)
    yield from (jobs, oldest, stages, age)


def _spent(rows: list[Spent]) -> Iterator[Metric]:
    labels = ["kind", "model", "status"]
    attempts = CounterMetricFamily("winnow_llm_attempts", "Attempts at calls.", labels=labels)
    tokens = CounterMetricFamily(
        "winnow_llm_tokens", "Tokens as endpoints counted them.", labels=[*labels, "direction"]
    )
    for row in rows:
        names = [row.kind, row.model, row.status]
        attempts.add_metric(names, row.attempts)
        tokens.add_metric([*names, "prompt"], row.prompt_tokens)
        tokens.add_metric([*names, "completion"], row.completion_tokens)
    yield from (attempts, tokens)


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, labels=labels)
