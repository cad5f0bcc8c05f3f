"""A customer's way from three files to a finished run, with moments at which faults strike."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.e2e.drive import PATIENCE, SETTINGS
from tests.e2e.house import IN_FLIGHT, House
from tests.e2e.shop import TYPES, Shop
from tests.faults import moments
from tests.faults.customer import Customer
from tests.waiting import until

Json = dict[str, Any]

PARAMS = {"d": 8, "epochs": 3, "n1": 1, "n2": 2}
RUN: Json = {"params": PARAMS, "seed": 5, "budget_pairs": 120}
POSTED = tuple(
    {
        "user_id": f"reader-{number % 40:04d}",
        "item_id": f"book-{number % 30:04d}",
        "type": "purchase",
        "value": 1,
        "timestamp": f"2024-01-01T00:{number:02d}:00Z",
        "event_id": f"late-{number}",
        "split": "train",
    }
    for number in range(60)
)
"""Interactions that come one small request after the other, when the run has ended."""

AT_ONCE = 20
PARSER = "services.api.ingest.parse"
ENDED = {"succeeded", "failed", "cancelled"}

Strike = Callable[[], str | None]


@dataclass(kw_only=True)
class Way:
    """One customer's way; each of `strikes` is called once, when its moment has come.

    Attributes:
        calls, paid: chats that came to the gate meanwhile, and those of them that were answered.
        key: of the project that the dataset is made in.
        run: what the run is asked for with.
        calls_before: what passes the gate before the moment `rate`.
        told: the reasons of pauses.
        struck_at: when the last fault had struck and was mended, by time.monotonic().
        moved_at: when a job was first seen to be further than at the last strike.
    """

    house: House
    shop: Shop
    key: str
    run: Json = field(default_factory=lambda: RUN)
    name: str = "shop"
    strikes: Mapping[str, Strike] = field(default_factory=dict)
    calls_before: int = 0
    customer: Customer = field(init=False)
    dataset: str = ""
    job: Json = field(default_factory=dict)
    imports: list[Json] = field(default_factory=list)
    accepted: int = 0
    calls: int = 0
    paid: int = 0
    struck: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    struck_at: float | None = None
    moved_at: float | None = None
    _place: object = None  # where a job was after the last strike

    def __post_init__(self) -> None:
        """Let the customer in; nothing is asked yet."""
        self.customer = Customer(self.house.url, self.key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.customer.close()

    def go(self) -> None:
        """Go all the way; AssertionError where something takes too long or is answered wrongly."""
        gate = self.house.gate
        calls, paid = gate.calls, gate.paid
        made = self.customer.post("/v1/datasets", {"name": self.name, "settings": SETTINGS})
        self.dataset = made["id"]
        for kind in TYPES:
            self.imports.append(self._bring_in(kind))
        self._go_through_the_run()
        self._post_late_ones()
        self.calls, self.paid = gate.calls - calls, gate.paid - paid

    @property
    def path(self) -> str:
        """Return the dataset's path."""
        return f"/v1/datasets/{self.dataset}"

    def _bring_in(self, kind: str) -> Json:
        """Upload a file and wait for its import; the faults strike the interactions'."""
        due = self.strikes.keys() if kind == "interactions" else set()
        with self._held() if moments.PUBLISHING in due else nullcontext():
            job = self.customer.upload(
                f"{self.path}/imports?kind={kind}",
                TYPES[kind],
                lambda: self._body(kind, within=moments.UPLOADING in due),
            )
            if moments.ACCEPTED in due:
                self._strike(moments.ACCEPTED)
            if moments.PARSING in due:
                until(self._parses, what="the parser")
                self._strike(moments.PARSING)
            if moments.PUBLISHING in due:
                self._wait_for_lock()
                self._strike(moments.PUBLISHING)
        return self._watch(job["id"])

    def _body(self, kind: str, *, within: bool) -> Iterator[bytes]:
        whole = self.shop.file(kind).read_bytes()
        half = len(whole) // 2
        yield whole[:half]
        if within:
            self._strike(moments.UPLOADING)
        yield whole[half:]

    def _post_late_ones(self) -> None:
        for start in range(0, len(POSTED), AT_ONCE):
            ask = partial(
                self.customer.post,
                f"{self.path}/interactions",
                {"interactions": list(POSTED[start : start + AT_ONCE])},
            )
            within = moments.POSTING in self.strikes and start == AT_ONCE
            answer = self._strike_within(ask) if within else ask()
            self.accepted += answer["accepted"]

    def _strike_within(self, ask: Callable[[], Json]) -> Json:
        """Strike while the request waits in its transaction, and ask until it is answered."""
        with ThreadPoolExecutor(1) as pool:
            with self._held():
                asked = pool.submit(ask)
                self._wait_for_lock()
                self._strike(moments.POSTING)
            return asked.result(PATIENCE)

    def _go_through_the_run(self) -> None:
        gate = self.house.gate
        if moments.RATE in self.strikes:
            gate.shut_after(self.calls_before)
        try:
            run = self.customer.post(f"{self.path}/runs", self.run)["id"]
            for moment in moments.RUNNING:
                if moment in self.strikes:
                    self._await(moment, run)
                    self._strike(moment)
                    if moment == moments.RATE:
                        gate.open()
        finally:
            gate.open()
        self.job = self._watch(run)

    def _await(self, moment: str, run: str) -> None:
        """Wait until the run has come to a moment, or past it."""
        if moment == moments.RATE:
            assert self.house.gate.holds(IN_FLIGHT, seconds=PATIENCE), "the rating never came"
        elif moment in moments.TRAINED:
            until(
                lambda: self.house.stage(moment) is not None or self._is(run, moment, "succeeded"),
                what=f"the stage {moment}",
                seconds=PATIENCE,
            )
        elif moment != moments.QUEUED:
            until(
                lambda: self._is(run, moment, "running") or self._is(run, moment, "succeeded"),
                what=f"the stage {moment}",
                seconds=PATIENCE,
            )

    def _strike(self, moment: str) -> None:
        if moment not in self.struck:  # an upload that is sent again passes its moment again
            self.struck.add(moment)
            told = self.strikes[moment]()
            self.told += [] if told is None else [told]
            self.struck_at, self.moved_at, self._place = time.monotonic(), None, None

    def _watch(self, job_id: str) -> Json:
        """Return the job once it has ended; a pause must end by itself."""
        deadline = time.monotonic() + PATIENCE
        while True:
            job = self.customer.get(f"/v1/jobs/{job_id}")
            place = job["state"], job["progress"], [stage["state"] for stage in job["stages"]]
            self._place = self._place or place
            if self.struck_at and self.moved_at is None and place != self._place:
                self.moved_at = time.monotonic()
            if job["state"] in ENDED:
                return job
            assert time.monotonic() < deadline, f"{job['kind']} hangs: {place}"
            time.sleep(0.2)

    def _is(self, run: str, stage: str, state: str) -> bool:
        query = "SELECT state FROM stages WHERE run_id = :run AND name = :stage"
        return self.house.rows(query, run=run, stage=stage) == [(state,)]

    def _parses(self) -> bool:
        worker = psutil.Process(self.house.pid("api-worker"))
        with suppress(psutil.NoSuchProcess):
            return any(PARSER in child.cmdline() for child in worker.children())
        return False

    def _wait_for_lock(self) -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        until(lambda: self.house.rows(query) != [(0,)], what="a wait for the dataset's row")

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the dataset's row, which every writer locks, so that a writer is met at its work."""
        engine = create_engine(self.house.admin_url)
        connection = engine.connect()
        try:
            query = text("SELECT FROM datasets WHERE id = :id FOR NO KEY UPDATE")
            connection.execute(query, {"id": self.dataset})
            yield
        finally:
            with suppress(DBAPIError):  # Postgres itself may have been struck
                connection.close()
            engine.dispose()
