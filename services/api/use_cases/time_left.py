"""The time that jobs will still take: reads once what the estimates of several rest on."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy.orm import Session

from services.api.use_cases.estimate_eta import Eta, History, by_rate, import_eta, run_eta
from services.shared.clock import utc_now
from services.shared.db.repos import history
from services.shared.db.tables import Job, Stage


class TimeLeft:
    """Answers for these jobs, within one transaction; `past`, if given, is read no more."""

    def __init__(self, session: Session, jobs: Sequence[Job], past: History | None = None) -> None:
        self._past = past
        self._now = utc_now()
        going = [job.id for job in jobs if job.finished_at is None]
        self._runs = history.runs(session, going)
        self._imports = history.imports_of(session, going)
        self._anywhere = cache(lambda: history.anywhere(session))
        self._of_dataset = cache(lambda dataset: history.of_dataset(session, dataset))
        self._uploaded = cache(lambda dataset: history.uploaded(session, dataset))
        self._by_kind = cache(lambda kind: history.imports(session, kind))

    def history(self, job: Job) -> History:
        """Return what has ended before: of the job's dataset, and anywhere."""
        if self._past is not None or job.dataset_id is None:
            return self._past or History()
        return History(
            dataset=self._of_dataset(job.dataset_id),
            anywhere=self._anywhere(),
            uploaded=self._uploaded(job.dataset_id),
        )

    def of(self, job: Job, stages: Sequence[Stage]) -> Eta | None:
        """Return the time that is left; None for a job that has ended."""
        if job.finished_at is not None:
            return None
        if job.state == "paused":
            return Eta(None, "Unknown: the job is paused.")
        if job.id in self._runs:
            return run_eta(self._runs[job.id], stages, self.history(job), self._now)
        row = self._imports.get(job.id)
        if row is None:
            return Eta(by_rate(job.progress, job.started_at, self._now), "From its own pace.")
        return import_eta(row.size_bytes, self._by_kind(row.kind), job.started_at, self._now)
