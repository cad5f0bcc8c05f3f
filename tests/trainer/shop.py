"""A tiny world of two tastes: even users like even items, odd users odd ones; noise is planted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import insert

from services.shared.db.repos import embeddings, jobs, ratings, runs, stages
from services.shared.db.repos.ratings import Answer
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Candidate, Dataset, Interaction, Item, Project, Run, User
from services.shared.ids import new_id
from services.shared.llm.cache_key import text_key
from services.shared.specs import DatasetSettings, RunSpec
from services.shared.stages import StageName

N_USERS, N_ITEMS, LIKED, FAKES = 60, 40, 12, 20
PARAMS = {"d": 8, "B": 64, "epochs": 3, "n1": 3, "n2": 2, "K_item": 3}


def user(n: int) -> str:
    """Return the id of the n-th user."""
    return f"u{n:03d}"


def item(n: int) -> str:
    """Return the id of the n-th item."""
    return f"i{n:03d}"


@dataclass(frozen=True)
class Shop:
    """A project, its dataset, and which of its pairs are fakes."""

    project_id: UUID
    dataset_id: UUID
    fakes: frozenset[tuple[str, str]]

    @classmethod
    def open(cls) -> "Shop":
        """Write users, items, true pairs and fakes."""
        rng = np.random.default_rng(7)
        project_id, dataset_id = new_id(), new_id()
        tastes = [np.arange(u % 2, N_ITEMS, 2) for u in range(N_USERS)]
        true = {
            (user(u), item(i))
            for u in range(N_USERS)
            for i in rng.choice(tastes[u], LIKED, replace=False)
        }
        others = rng.choice(N_USERS, FAKES, replace=False)
        fakes = {(user(u), item(int(rng.choice(tastes[u + 1 - 2 * (u % 2)])))) for u in others}
        with unit_of_work(project_id) as session:
            owner = {"project_id": project_id, "dataset_id": dataset_id}
            session.add(Project(id=project_id, name=str(project_id)))
            session.flush()
            session.add(Dataset(id=dataset_id, project_id=project_id, name="shop", settings={}))
            session.flush()
            pairs = sorted(true | fakes)
            rows = [{**owner, "user_id": u, "item_id": i, "value": 5.0} for u, i in pairs]
            session.execute(insert(Interaction), rows)
            for table, name, count in ((User, user, N_USERS), (Item, item, N_ITEMS)):
                rows = [{**owner, **_profile(name(n), n)} for n in range(count)]
                session.execute(insert(table), rows)
        return cls(project_id, dataset_id, frozenset(fakes))

    def start_run(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        backbone: str = "lightgcn",
    ) -> UUID:
        """Return the id of a new run whose snapshot is ready."""
        run_id = new_id()
        body = {"params": {**PARAMS, **(params or {})}, "seed": 3, "budget_pairs": 150}
        body["backbone"] = backbone
        spec, wishes = RunSpec.read(body), DatasetSettings.read(settings or {})
        with unit_of_work(self.project_id) as session:
            jobs.create(
                session,
                "run",
                job_id=run_id,
                project_id=self.project_id,
                dataset_id=self.dataset_id,
            )
            run = Run(
                id=run_id,
                project_id=self.project_id,
                dataset_id=self.dataset_id,
                dataset_version=0,
                dataset_settings=wishes.to_json(),
                spec=spec.to_json(),
                config_sha256=spec.config_hash(),
                seed=spec.seed,
                llm="rater",
                embedder="encoder",
                prompt_version=1,
                artifacts={},
            )
            session.add(run)
            session.flush()
            stages.create_all(session, run_id=run_id, project_id=self.project_id)
        return run_id

    def claim(self, run_id: UUID, name: StageName) -> StageLease:
        """Return a lease on a stage that is ready."""
        with unit_of_work(self.project_id) as session:
            lease = stages.claim(session, run_id, name)
        assert lease is not None
        return lease

    def embed(self, run_id: UUID) -> None:
        """Do the stage embed: a text's vector leans to its taste."""
        lease = self.claim(run_id, StageName.EMBED)
        rng = np.random.default_rng(1)
        texts = [_profile("", n)["text"] for n in range(max(N_USERS, N_ITEMS))]
        vectors = {}
        for text in texts:
            lean = np.eye(16)[0 if "even" in text else 1]
            vectors[text_key(text)] = (lean + 0.1 * rng.normal(size=16)).astype("<f2").tobytes()
        with unit_of_work(self.project_id) as session:
            embeddings.store(session, "encoder", vectors, project_id=self.project_id)
            stages.finish(session, lease, {})

    def rate(self, run_id: UUID) -> None:
        """Do the stage rate: a fake gets two Lows, a true edge two Highs, the rest High and Mid."""
        lease = self.claim(run_id, StageName.RATE)
        with unit_of_work(self.project_id) as session:
            answers = [
                self._answer(pair, view)
                for pair in session.query(Candidate).filter_by(run_id=run_id)
                for view in ("user", "item")
            ]
            ratings.store(
                session,
                answers,
                project_id=self.project_id,
                dataset_id=self.dataset_id,
                run_id=run_id,
            )
            stages.finish(session, lease, {})

    def state(self, run_id: UUID, name: StageName) -> str:
        """Return the stage's state as committed."""
        with unit_of_work(self.project_id) as session:
            return {s.name: s.state for s in stages.of_run(session, run_id)}[name.value]

    def artifact(self, run_id: UUID, name: StageName) -> dict[str, str] | None:
        """Return the pointer to the stage's files."""
        with unit_of_work(self.project_id) as session:
            pointer: dict[str, str] | None = runs.get(session, run_id).artifacts.get(name.value)
        return pointer

    def _answer(self, pair: Candidate, view: str) -> Answer:
        fake = (pair.user_id, pair.item_id) in self.fakes
        label = "Low" if fake else "High" if pair.edge or view == "user" else "Mid"
        return Answer(
            user_id=pair.user_id,
            item_id=pair.item_id,
            view=view,
            content_sha256=text_key(f"{pair.user_id} {pair.item_id} {view}"),
            label=label,
            reason="said by a test",
            prompt_version=1,
            llm="rater",
            answer_sha256=None,
            latency_ms=None,
            prompt_tokens=None,
            completion_tokens=None,
        )


def _profile(ident: str, n: int) -> dict[str, Any]:
    text = f"{'even' if n % 2 == 0 else 'odd'} taste, number {n}"
    return {"id": ident, "text": text, "text_sha256": text_key(text), "attributes": {}}
