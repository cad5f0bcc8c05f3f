"""A small dataset, its snapshot and runs over it, as the trainer would leave them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import polars as pl
import redis
from sqlalchemy import select, text
from sqlalchemy.orm import defer

from services.llm_worker import tasks
from services.shared.artifacts import ArtifactStore
from services.shared.db.repos import candidates, jobs, models, stages
from services.shared.db.repos.candidates import NewCandidate
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Dataset, Job, Project, Rating, Run, RunRating, Stage, Usage
from services.shared.ids import new_id
from services.shared.llm.cache_key import text_key
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName

N_USERS, N_ITEMS, SHELF = 10, 12, 3
Labels = dict[tuple[str, str, str], str]


def user(n: int) -> str:
    """Return the id of the n-th user."""
    return f"u{n:02d}"


def item(n: int) -> str:
    """Return the id of the n-th item."""
    return f"i{n:02d}"


def texts() -> dict[str, str | None]:
    """Return every id's text; the last user has none."""
    named = {user(n): f"reads about subject {n}" for n in range(N_USERS - 1)}
    return {**named, user(N_USERS - 1): None, **{item(n): f"book {n}" for n in range(N_ITEMS)}}


@dataclass(frozen=True)
class Shelf:
    """A project and its dataset."""

    project_id: UUID
    dataset_id: UUID

    @classmethod
    def open(cls) -> "Shelf":
        """Write both rows."""
        project_id, dataset_id = new_id(), new_id()
        with unit_of_work(project_id) as session:
            session.add(Project(id=project_id, name=str(project_id)))
            session.flush()
            session.add(Dataset(id=dataset_id, project_id=project_id, name="shelf", settings={}))
        return cls(project_id, dataset_id)

    def start_run(
        self,
        *,
        pairs: int = 60,
        words: Mapping[str, str | None] | None = None,
        prompt_version: int = 2,
    ) -> UUID:
        """Return the id of a run whose snapshot and candidates stand; embed and rate are ready."""
        run_id = new_id()
        with unit_of_work(self.project_id) as session:
            owner = {"project_id": self.project_id, "dataset_id": self.dataset_id}
            jobs.create(session, "run", job_id=run_id, **owner)
            session.add(
                Run(
                    id=run_id,
                    **owner,
                    dataset_version=1,
                    dataset_settings={},
                    spec={},
                    config_sha256=b"",
                    seed=0,
                    llm="rater",
                    embedder="encoder",
                    prompt_version=prompt_version,
                    artifacts={},
                )
            )
            session.flush()
            stages.create_all(session, run_id=run_id, project_id=self.project_id)
            session.info.clear()  # nothing of it is sent: the tests call the doorways
        self._snapshot(run_id, {**texts(), **(words or {})})
        self._suspect(run_id, pairs)
        return run_id

    def do(self, task: Task, run_id: UUID) -> None:
        """Handle one message about the run, in this process."""
        message = {"v": 1, "id": str(run_id), "project_id": str(self.project_id)}
        tasks.enter(task, {**message, "request_id": None})

    def rate(self, run_id: UUID) -> None:
        """Rate the run to its end, as one worker would; messages on the broker are left alone."""
        self.do(Task.RATE, run_id)
        for _ in range(50):
            if self.stage(run_id, StageName.RATE).state != "running":
                return
            self.do(Task.RATE_BATCH, run_id)
        raise AssertionError("the stage does not end")

    def let_time_pass(self, run_id: UUID) -> None:
        """Make the next try of a paused run due."""
        due = "SET retry_at = now() - interval '1 millisecond' WHERE retry_at IS NOT NULL AND"
        self.execute(f"UPDATE stages {due} run_id = '{run_id}'")
        self.execute(f"UPDATE jobs {due} id = '{run_id}'")

    def stage(self, run_id: UUID, name: StageName) -> Stage:
        """Return the stage as committed, without its lease: a parked one lasts for ever."""
        query = select(Stage).where(Stage.run_id == run_id, Stage.name == name.value)
        with unit_of_work(self.project_id) as session:
            return session.scalars(query.options(defer(Stage.lease_until))).one()

    def job(self, run_id: UUID) -> Job:
        """Return the job as committed."""
        with unit_of_work(self.project_id) as session:
            return session.get_one(Job, run_id)

    def labels(self, run_id: UUID) -> Labels:
        """Return the label of each (user, item, view) of the run."""
        query = select(RunRating, Rating.label).join(Rating, Rating.id == RunRating.rating_id)
        with unit_of_work(self.project_id) as session:
            rows = session.execute(query.where(RunRating.run_id == run_id)).all()
        return {(row.user_id, row.item_id, row.view): label for row, label in rows}

    def ratings(self) -> Counter[tuple[str, str, str]]:
        """Return how many ratings are stored of each (user, item, view)."""
        with unit_of_work(self.project_id) as session:
            rows = session.execute(select(Rating.user_id, Rating.item_id, Rating.view)).all()
        return Counter((row.user_id, row.item_id, row.view) for row in rows)

    def attempts(self, run_id: UUID) -> Counter[str]:
        """Return how many attempts of the run ended in which way."""
        with unit_of_work(self.project_id) as session:
            return Counter(session.scalars(select(Usage.status).where(Usage.run_id == run_id)))

    def execute(self, statement: str) -> None:
        """Run SQL within the project."""
        with unit_of_work(self.project_id) as session:
            session.execute(text(statement))

    def _snapshot(self, run_id: UUID, words: Mapping[str, str | None]) -> None:
        store = ArtifactStore(settings().require("artifacts_url"))
        with store.writing(f"runs/{run_id}/snapshot") as draft:
            for name, prefix in (("users", "u"), ("items", "i")):
                rows = [(ident, said) for ident, said in words.items() if ident[0] == prefix]
                _profiles(rows).write_parquet(draft.folder / f"{name}.parquet")
        with unit_of_work(self.project_id) as session:
            models.keep_files(session, run_id, "snapshot", draft.manifest)

    def _suspect(self, run_id: UUID, count: int) -> None:
        every = [(u, i) for u in range(N_USERS) for i in range(N_ITEMS)][:count]
        rows = [
            NewCandidate(
                user_id=user(u),
                item_id=item(i),
                edge=i % 2 == 0,
                score=0.5,
                history=_json([item((i + k) % N_ITEMS) for k in range(1, SHELF + 1)]),
            )
            for u, i in every
        ]
        with unit_of_work(self.project_id) as session:
            candidates.replace(session, rows, run_id=run_id, project_id=self.project_id)
        self.execute(
            "UPDATE stages SET state = 'succeeded' WHERE name IN ('snapshot', 'candidates')"
        )
        self.execute(
            "UPDATE stages SET state = 'ready' "
            f"WHERE name IN ('embed', 'rate') AND run_id = '{run_id}'"
        )


def claim(shelf: Shelf, run_id: UUID, name: StageName) -> StageLease | None:
    """Return a lease on a stage, as another worker would hold it."""
    with unit_of_work(shelf.project_id) as session:
        return stages.claim(session, run_id, name)


def waiting_messages() -> int:
    """Return how many messages wait in the queue rate."""
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        return int(broker.llen("rate"))


def _json(ids: list[str]) -> str:
    return "[" + ", ".join(f'"{one}"' for one in ids) + "]"


def _profiles(rows: list[tuple[str, str | None]]) -> pl.DataFrame:
    hashes = [None if said is None else text_key(said) for _, said in rows]
    columns = {
        "index": pl.Series(range(len(rows)), dtype=pl.Int32),
        "id": [ident for ident, _ in rows],
        "text": pl.Series([said for _, said in rows], dtype=pl.String),
        "text_sha256": pl.Series(hashes, dtype=pl.Binary),
    }
    return pl.DataFrame(columns)
