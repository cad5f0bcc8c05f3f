"""What must hold after a fault: asked of Postgres as the superuser, of the api and of the disk."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from services.shared.artifacts import ArtifactStore
from services.shared.artifacts.manifest import MANIFEST
from services.shared.errors import ArtifactCorruptError
from tests.e2e.house import House
from tests.faults.way import PARSER, POSTED, Way

STAGE = "services.trainer.stage"

Labels = Counter[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a way came to.

    Attributes:
        labels: how often each (user, item, view, label) is stored.
        verdicts: (user, item, verdict, action).
    """

    labels: Labels
    verdicts: frozenset[tuple[Any, ...]]
    metrics: Any

    def lost(self, other: "Result") -> int:
        """Return how many of another's ratings are not among ours."""
        return len(other.labels.keys() - self.labels.keys())

    @property
    def double(self) -> int:
        """Return how many views of pairs are stored more than once."""
        views: Counter[tuple[Any, ...]] = Counter()
        for (user, item, view, _label), times in self.labels.items():
            views[user, item, view] += times
        return sum(times > 1 for times in views.values())


def result_of(house: House, *, run: str, dataset: str) -> Result:
    """Return what is stored of a dataset and its one run."""
    rows = house.rows
    labels = rows(
        "SELECT user_id, item_id, view, label FROM ratings WHERE dataset_id = :dataset",
        dataset=dataset,
    )
    verdicts = rows(
        "SELECT user_id, item_id, verdict, action FROM verdicts WHERE run_id = :run", run=run
    )
    metrics = rows("SELECT card->'metrics' FROM models WHERE run_id = :run", run=run)
    return Result(labels=Counter(labels), verdicts=frozenset(verdicts), metrics=metrics)


def violations(way: Way, reference: Result, *, again: int) -> list[str]:
    """Return a sentence for everything that is not as it must be; `again` calls may be extra."""
    if way.job["state"] != "succeeded":
        return [f"the run ended {way.job['state']}: {way.job['error']}"]
    return [
        *_imports(way),
        *_ratings(way, reference),
        *_calls(way, again=again),
        *_interactions(way),
        *_left_running(way),
        *_files(way),
        *orphans(way.house),
        *way.customer.replays(),
        *(f"{name} has died" for name in way.house.stack.died()),
    ]


def orphans(house: House) -> list[str]:
    """Return a sentence for each child that outlived its parent or works on nothing."""
    found = []
    parents = {house.pid("trainer"): STAGE, house.pid("api-worker"): PARSER}
    here = psutil.Process(house.pid("trainer")).cwd()
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            ours = process.cwd() == here and {STAGE, PARSER} & set(words)
            if ours and process.ppid() not in parents:
                found.append(f"process {process.pid} is an orphan: {' '.join(words[-5:])}")
        except psutil.Error:
            continue
    return found


def _imports(way: Way) -> Iterator[str]:
    for job in way.imports:
        if job["state"] != "succeeded":
            yield f"an import ended {job['state']}: {job['error']}"


def _ratings(way: Way, reference: Result) -> Iterator[str]:
    ours = result_of(way.house, run=way.job["id"], dataset=way.dataset)
    if ours.lost(reference) or reference.lost(ours):
        yield f"{ours.lost(reference)} ratings differ from the undisturbed run's"
    if ours.double:
        yield f"{ours.double} views of pairs are stored twice"
    if ours.verdicts != reference.verdicts:
        yield f"{len(ours.verdicts ^ reference.verdicts)} verdicts differ"
    if ours.metrics != reference.metrics:
        yield "the model's metrics differ from the undisturbed run's"
    links = way.house.rows(
        "SELECT count(*) FROM run_ratings WHERE run_id = :run", run=way.job["id"]
    )
    if links != [(way.job["progress"]["total"],)]:
        yield f"{links} links to ratings, and {way.job['progress']['total']} questions"


def _calls(way: Way, *, again: int) -> Iterator[str]:
    total = way.job["progress"]["total"]
    kept = way.house.rows(
        "SELECT count(*) FROM usage WHERE run_id = :run AND kind = 'chat' AND status = 'ok'",
        run=way.job["id"],
    )[0][0]
    if not total <= kept <= way.paid:
        yield f"usage counts {kept} calls, {way.paid} were paid for {total} questions"
    if way.paid - total > again:
        yield f"{way.paid - total} calls were paid again, and at most {again} may be"


def _interactions(way: Way) -> Iterator[str]:
    stored = way.house.rows(
        'SELECT count(*), count(DISTINCT (user_id, item_id, type, "timestamp")),'
        " count(*) FILTER (WHERE event_id LIKE 'late-%'), count(DISTINCT event_id)"
        " FROM interactions WHERE dataset_id = :dataset",
        dataset=way.dataset,
    )
    late = len(POSTED)
    if stored != [(way.shop.good + late, way.shop.good + late, late, late)]:
        yield f"{stored} interactions, {way.shop.good} were in the file and {late} posted"
    if way.accepted != late:
        yield f"{way.accepted} of {late} posted interactions were told to be accepted"


def _left_running(way: Way) -> Iterator[str]:
    for what, query in (
        ("stages", "stages WHERE run_id = :run AND state <> 'succeeded'"),
        ("batches", "rating_batches WHERE run_id = :run AND state <> 'done'"),
        (
            "imports",
            "imports WHERE dataset_id = :dataset AND (visible_at IS NULL OR lease_until > now())",
        ),
        ("jobs", "jobs WHERE dataset_id = :dataset AND state <> 'succeeded'"),
        ("staging tables", "pg_tables WHERE schemaname = 'staging'"),
    ):
        values = {"run": way.job["id"], "dataset": way.dataset}
        named = {name: value for name, value in values.items() if f":{name}" in query}
        count = way.house.rows(f"SELECT count(*) FROM {query}", **named)[0][0]
        if count:
            yield f"{count} {what} are left over"


def _files(way: Way) -> Iterator[str]:
    root = way.house.stack.home.folder
    store = ArtifactStore((root / "artifacts").as_uri())
    pointers = way.house.rows("SELECT artifacts FROM runs WHERE id = :run", run=way.job["id"])
    for stage, pointer in pointers[0][0].items():
        try:
            store.open(pointer["path"], sha256=pointer["sha256"])
        except ArtifactCorruptError as error:
            yield f"the files of {stage}: {error}"
    for folder in (root / "artifacts" / "runs" / way.job["id"]).glob("*/*"):
        if not (folder / MANIFEST).exists():
            yield f"{folder} has no manifest"
    for left in [*(root / "spool" / "uploads").glob("*"), *(root / "spool" / "work").glob("*")]:
        if left.name.endswith(".part"):
            continue  # an upload that was cut off: the cleaning takes it after an hour
        yield f"{left} is left over"
