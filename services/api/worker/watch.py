"""Tells an import in progress when to stop."""

import threading
import time

from sqlalchemy.exc import DBAPIError

from services.shared.db.repos import jobs
from services.shared.db.repos.imports import ImportLease
from services.shared.db.repos.jobs import Wish
from services.shared.db.session import unit_of_work
from services.shared.errors import (
    JobCancelledError,
    JobPausedError,
    LeaseLostError,
    RetryLaterError,
)

LOOK_SECONDS = 1.0


class Watch:
    """Called often; looks at the job's state once a second at most."""

    def __init__(
        self, lease: ImportLease, *, lost: threading.Event, stopping: threading.Event
    ) -> None:
        self._lease = lease
        self._lost = lost
        self._stopping = stopping
        self._looked = time.monotonic()

    def __call__(self) -> None:
        """Return if all is well.

        Raises LeaseLostError, RetryLaterError when the worker must stop, JobCancelledError, or
        JobPausedError.
        """
        if self._lost.is_set():
            raise LeaseLostError(f"import {self._lease.import_id}")
        if self._stopping.is_set():
            raise RetryLaterError("The worker is told to stop.", retry_after=0)
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            self._look()

    def _look(self) -> None:
        try:
            with unit_of_work(self._lease.project_id) as session:
                wish = jobs.wish(session, self._lease.import_id)
        except DBAPIError:  # away for a while: the lease decides
            return
        if wish is Wish.STOP:
            raise JobCancelledError("The import was cancelled.")
        if wish is Wish.WAIT:
            raise JobPausedError("Somebody asked the import to wait.")
