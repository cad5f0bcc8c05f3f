"""A dataset and the stages of its runs, done one after another in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from services.api.use_cases.estimate_run import Estimate, estimate_run
from services.api.use_cases.report_preflight import Preflight, report_preflight
from services.api.use_cases.start_run import start_run
from services.llm_worker import tasks
from services.shared.db.repos import datasets, profiles, stages
from services.shared.db.repos.profiles import Profile
from services.shared.db.session import unit_of_work
from services.shared.db.tables import (
    Candidate,
    Dataset,
    Interaction,
    Item,
    Project,
    Rating,
    RunRating,
    Stage,
    User,
    Verdict,
)
from services.shared.ids import new_id
from services.shared.queues import Task
from services.shared.specs import DatasetSettings, RunSpec
from services.shared.stages import WAITS_FOR, StageName
from services.trainer.perform import perform

BY_LLM_WORKER = {StageName.EMBED: Task.EMBED, StageName.RATE: Task.RATE}
PARAMS = {"d": 8, "B": 64, "epochs": 2, "n1": 2, "n2": 2, "K_item": 3}
Labels = dict[tuple[str, str, str], str]


@dataclass(frozen=True)
class Line:
    """A project with a dataset."""

    project_id: UUID
    dataset_id: UUID

    @classmethod
    def open(cls, **settings: object) -> "Line":
        """Write both rows."""
        project_id, dataset_id = new_id(), new_id()
        with unit_of_work(project_id) as session:
            session.add(Project(id=project_id, name=str(project_id)))
            session.flush()
            wishes = DatasetSettings.read(settings).to_json()
            owner = {"project_id": project_id, "name": "line", "settings": wishes}
            session.add(Dataset(id=dataset_id, **owner))
        return cls(project_id, dataset_id)

    def fill(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        users: Mapping[str, str],
        items: Mapping[str, str],
    ) -> None:
        """Write interactions, and the texts of users and items as the api would."""
        owner = {"project_id": self.project_id, "dataset_id": self.dataset_id}
        with unit_of_work(self.project_id) as session:
            rows = [{**owner, "user_id": user, "item_id": item} for user, item in pairs]
            session.execute(insert(Interaction), rows)
            for table, texts in ((User, users), (Item, items)):
                given = [Profile(ident, said, {}) for ident, said in texts.items()]
                profiles.upsert(session, table, profiles=given, **owner)

    def preflight(self) -> Preflight:
        """Return the dataset's report."""
        with unit_of_work(self.project_id) as session:
            return report_preflight(session, datasets.live(session, self.dataset_id))

    def estimate(self, **spec: Any) -> Estimate:  # noqa: ANN401 - a run's body
        """Return the estimate of a run."""
        with unit_of_work(self.project_id) as session:
            dataset = datasets.live(session, self.dataset_id)
            return estimate_run(session, dataset, RunSpec.read(spec))

    def run(self, *, until: StageName = StageName.PUBLISH, **spec: Any) -> UUID:  # noqa: ANN401 - as above
        """Start a run, do its stages up to `until`, and return its id."""
        with unit_of_work(self.project_id) as session:
            dataset = datasets.live(session, self.dataset_id)
            run_id = start_run(session, dataset, RunSpec.read(spec), request_id=None).id
            session.info.clear()  # no message leaves: the stages are done here
        for name in WAITS_FOR:
            self._do(run_id, name)
            if name is until:
                break
        return run_id

    def figures(self, run_id: UUID, name: StageName) -> dict[str, Any]:
        """Return what a stage reported."""
        query = select(Stage.figures).where(Stage.run_id == run_id, Stage.name == name.value)
        with unit_of_work(self.project_id) as session:
            return dict(session.scalars(query).one())

    def labels(self, run_id: UUID) -> Labels:
        """Return the label of each (user, item, view)."""
        query = select(RunRating, Rating.label).join(Rating, Rating.id == RunRating.rating_id)
        with unit_of_work(self.project_id) as session:
            rows = session.execute(query.where(RunRating.run_id == run_id)).all()
        return {(row.user_id, row.item_id, row.view): label for row, label in rows}

    def shelves(self, run_id: UUID) -> dict[tuple[str, str], list[str]]:
        """Return the item view's shelf of each pair."""
        with unit_of_work(self.project_id) as session:
            rows = session.scalars(select(Candidate).where(Candidate.run_id == run_id)).all()
        return {(row.user_id, row.item_id): row.history for row in rows}

    def verdicts(self, run_id: UUID) -> dict[tuple[str, str], str]:
        """Return the verdict of each pair."""
        with unit_of_work(self.project_id) as session:
            rows = session.scalars(select(Verdict).where(Verdict.run_id == run_id)).all()
        return {(row.user_id, row.item_id): row.verdict for row in rows}

    def tokens(self, run_id: UUID) -> tuple[int, int]:
        """Return the tokens of prompts and replies behind all of the run's ratings."""
        query = (
            select(Rating.prompt_tokens, Rating.completion_tokens)
            .join(RunRating, RunRating.rating_id == Rating.id)
            .where(RunRating.run_id == run_id)
        )
        with unit_of_work(self.project_id) as session:
            rows = session.execute(query).all()
        return sum(row[0] or 0 for row in rows), sum(row[1] or 0 for row in rows)

    def _do(self, run_id: UUID, name: StageName) -> None:
        if name not in BY_LLM_WORKER:
            with unit_of_work(self.project_id) as session:
                lease = stages.claim(session, run_id, name)
            assert lease is not None
            perform(lease)
            return
        self._send(BY_LLM_WORKER[name], run_id)
        for _ in range(100):
            if self._state(run_id, name) == "succeeded":
                return
            self._send(Task.RATE_BATCH, run_id)
        raise AssertionError(f"the stage {name.value} does not end")

    def _send(self, task: Task, run_id: UUID) -> None:
        message = {"v": 1, "id": str(run_id), "project_id": str(self.project_id)}
        tasks.enter(task, {**message, "request_id": None})

    def _state(self, run_id: UUID, name: StageName) -> str:
        query = select(Stage.state).where(Stage.run_id == run_id, Stage.name == name.value)
        with unit_of_work(self.project_id) as session:
            return str(session.scalar(query))
