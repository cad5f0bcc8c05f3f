"""Remove what crashes left behind: uploads that no import waits for, drafts of artefacts."""

from pathlib import Path

from services.api.ingest import reports, spool
from services.shared.db.repos import jobs
from services.shared.db.session import unit_of_work
from services.shared.log import get_logger

log = get_logger(__name__)
UNTOUCHED_SECONDS = 3600.0  # an upload that still comes in is written to every moment


def clean() -> int:
    """Remove leftovers and return how many."""
    removed = 0
    for path in spool.old_entries(older_than_seconds=UNTOUCHED_SECONDS):
        if not _is_awaited(path):
            spool.remove(path)
            removed += 1
    removed += reports.store().sweep()
    if removed:
        log.info("leftovers_removed", count=removed)
    return removed


def _is_awaited(path: Path) -> bool:
    """Say whether an import that has not ended needs this file; files of others stay."""
    owner = spool.owner_of(path.name)
    if owner is None:
        return True
    if path.name.endswith(spool.PART):
        return False
    project_id, import_id = owner
    with unit_of_work(project_id) as session:
        state = jobs.state(session, import_id)
    return state is not None and state not in jobs.ENDED
