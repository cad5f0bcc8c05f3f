"""Tells Postgres how far a stage is, seldom enough."""

import time

from sqlalchemy.exc import OperationalError

from services.shared.db.repos import stages
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import unit_of_work
from services.shared.log import get_logger

log = get_logger(__name__)

EVERY_SECONDS = 0.5


class Progress:
    """Call it with counts as often as you like; raises LeaseLostError when the lease is gone."""

    def __init__(self, lease: StageLease, *, every: float = EVERY_SECONDS) -> None:
        self._lease = lease
        self._every = every
        self._told = -every

    def __call__(self, completed: int, *, total: int) -> None:
        """Report {"total", "completed"} unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._told < self._every and completed < total:
            return
        self._told = now
        counts = {"total": total, "completed": completed, "failed": 0, "cached": 0}
        try:
            with unit_of_work(self._lease.project_id) as session:
                stages.report(session, self._lease, counts)
        except OperationalError as error:  # away for a while: no reason to stop training
            log.warning("progress_not_told", error=type(error).__name__)
