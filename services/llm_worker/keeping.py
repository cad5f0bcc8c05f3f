"""What a batch leaves in Postgres: ratings, links, usage and progress, under its token."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from services.llm_worker import progress
from services.llm_worker.ask import Outcome
from services.llm_worker.questions import PairQuestion
from services.shared.db.repos import batches, jobs, ratings, usage
from services.shared.db.repos.batches import BatchLease
from services.shared.db.repos.jobs import Wish
from services.shared.db.repos.ratings import Answer
from services.shared.db.repos.usage import Attempt
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Run
from services.shared.llm.protocol import ChatReply
from services.shared.log import get_logger

log = get_logger(__name__)

PROGRESS_SECONDS = 1.0
UNPARSED = "unparsed"


@dataclass(frozen=True)
class Asked:
    """A question and what became of it."""

    question: PairQuestion
    outcome: Outcome


class Keeper:
    """Keeps one batch's answers; every write raises LeaseLostError once the token is old."""

    def __init__(self, lease: BatchLease, run: Run) -> None:
        self._lease = lease
        self._run = run
        self._told = time.monotonic()
        self._in_doubt = False  # whether the answer to a commit was lost

    def find(self, questions: Sequence[PairQuestion]) -> list[PairQuestion]:
        """Link what was answered before to the run; return what is left to ask."""
        with unit_of_work(self._lease.project_id) as session:
            batches.hold(session, self._lease)
            wanted = [(q.user_id, q.item_id, q.view, q.key) for q in questions]
            known = ratings.find(session, self._run.dataset_id, wanted)
            links = [(*key[:3], known[key]) for key in wanted if key in known]
            ratings.link(
                session,
                links,
                project_id=self._lease.project_id,
                run_id=self._run.id,
                cached=True,
            )
        return [q for q, key in zip(questions, wanted, strict=True) if key not in known]

    def keep(self, asked: Sequence[Asked]) -> Wish:
        """Commit answers and attempts in one transaction; return what is wanted of the run now.

        How far the run is, is told once in a while. After a DBAPIError it may be called again with
        the same: what had been committed after all is kept, and counted, once.
        """
        try:
            wanted = self._commit(asked)
        except DBAPIError:
            self._in_doubt = True
            raise
        self._in_doubt = False
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._tell()
        return wanted

    def _commit(self, asked: Sequence[Asked]) -> Wish:
        project_id, run = self._lease.project_id, self._run
        with unit_of_work(project_id) as session:
            batches.hold(session, self._lease)
            left = self._unkept(session, asked) if self._in_doubt else asked
            rows = [answer for one in left if (answer := self._answer(one)) is not None]
            spent = [attempt for one in left for attempt in _attempts(one)]
            ratings.store(
                session, rows, project_id=project_id, dataset_id=run.dataset_id, run_id=run.id
            )
            usage.add(session, spent, project_id=project_id, run_id=run.id, batch_id=self._lease.id)
            return jobs.wish(session, run.id)

    def _unkept(self, session: Session, asked: Sequence[Asked]) -> list[Asked]:
        """Return those that no commit has linked to the run: nobody else asks this batch."""
        pairs = [(one.question.user_id, one.question.item_id) for one in asked]
        linked = ratings.already_linked(session, self._run.id, pairs)
        return [
            one
            for one in asked
            if (one.question.user_id, one.question.item_id, one.question.view) not in linked
        ]

    def _tell(self) -> None:
        self._told = time.monotonic()
        try:
            progress.tell(self._run.id, project_id=self._lease.project_id)
        except DBAPIError as error:  # away since the answers were committed: no reason to repeat
            log.warning("progress_not_told", error=type(error).__name__)

    def count(self, reply: ChatReply) -> None:
        """Commit an attempt that was no question's."""
        attempt = usage.attempt_of(reply, kind="chat", model=self._run.llm, number=1)
        where = {"project_id": self._lease.project_id, "run_id": self._run.id}
        with unit_of_work(self._lease.project_id) as session:
            usage.add(session, [attempt], batch_id=self._lease.id, **where)

    def _answer(self, asked: Asked) -> Answer | None:
        outcome, question = asked.outcome, asked.question
        if outcome.ending not in {"answered", "unparsed"}:
            return None
        said, last = outcome.answer, outcome.replies[-1]
        text = (last.text or "").encode("utf-8", "surrogatepass")
        return Answer(
            user_id=question.user_id,
            item_id=question.item_id,
            view=question.view,
            content_sha256=question.key,
            label=said.label.value if said else UNPARSED,
            reason=said.reason if said else "",
            prompt_version=question.template.version,
            llm=question.model,
            answer_sha256=hashlib.sha256(text).digest() if text else None,
            latency_ms=last.latency_ms,
            prompt_tokens=last.usage.prompt if last.usage else None,
            completion_tokens=last.usage.completion if last.usage else None,
        )


def _attempts(asked: Asked) -> list[Attempt]:
    return [
        usage.attempt_of(reply, kind="chat", model=asked.question.model, number=number)
        for number, reply in enumerate(asked.outcome.replies, start=1)
    ]
