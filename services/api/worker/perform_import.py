"""One import from its spooled file to visible rows, once, whatever dies on the way."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from services.api.ingest import child, reports, spool
from services.api.ingest.bounds import bounds
from services.api.ingest.columns import KINDS
from services.api.ingest.plan import ERRORS, ROWS, Options, Outcome, Plan
from services.api.worker.rehearse_import import rehearse
from services.api.worker.settle_import import Claimed, RefusedFileError, admit, settle
from services.api.worker.watch import Watch
from services.shared import disk
from services.shared.db.repos import imports, pauses, staging
from services.shared.db.repos.imports import Counts, ImportLease
from services.shared.db.session import unit_of_work
from services.shared.errors import LeaseLostError, MalformedError, WinnowError
from services.shared.leases import Heartbeat
from services.shared.log import get_logger

log = get_logger(__name__)
BLOCK = 1 << 20


def perform_import(import_id: UUID, *, project_id: UUID, stopping: threading.Event) -> None:
    """Claim the import and bring it to its end, unless another does or has done."""
    claimed = admit(import_id, project_id=project_id)
    if claimed is None:
        return
    lease = claimed.lease

    def renew() -> None:
        with unit_of_work(lease.project_id) as session:
            imports.renew(session, lease)

    log.info("import_started", attempt=lease.attempt)
    try:
        # settled after the last beat: a renewal would hold the lease that was just given back
        with Heartbeat(renew) as heartbeat, disk.named():
            _wait_for_room(lease)
            _bring_in(claimed, Watch(lease, lost=heartbeat.lost, stopping=stopping))
    except LeaseLostError:
        log.warning("import_belongs_to_another")
    except WinnowError as error:
        settle(claimed, error)
    else:
        settle(claimed, None)


def _wait_for_room(lease: ImportLease) -> None:
    """Return if the import was not paused by a full disk, or there is room; else DiskFullError."""
    with unit_of_work(lease.project_id) as session:
        paused = pauses.of_job(session, lease.import_id)
    if paused is None or paused.code != pauses.DISK_FULL:
        return
    full = disk.shortage(paused.needs)
    if full is not None:
        raise full
    with unit_of_work(lease.project_id) as session:
        pauses.lift_job(session, lease.import_id)


def _bring_in(claimed: Claimed, watch: Callable[[], None]) -> None:
    """Parse, copy and publish; RefusedFileError, with the counts, when the file is not taken.

    An import that is to validate only is rehearsed instead.
    """
    source = spool.folder() / claimed.row.spool_name
    if not source.is_file():
        raise MalformedError("The received file is gone; send it again.", code="UPLOAD_LOST")
    work = source.with_name(f"{source.name}.{claimed.lease.token}")
    work.mkdir()
    try:
        outcome = child.run(_plan(claimed, source, work), watch=watch)
        counts = _counts(claimed, outcome, work)
        if outcome.failure is not None:
            raise RefusedFileError(outcome.failure, counts)
        bring = rehearse if claimed.row.options.get("validate_only") else _publish
        bring(claimed, outcome, counts, _blocks(work / ROWS, watch))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _plan(claimed: Claimed, source: Path, work: Path) -> Plan:
    row = claimed.row
    return Plan(
        source=str(source),
        target=str(work),
        kind=row.kind,
        options=Options.from_json(row.options),
        bounds=bounds(),
        timezone=claimed.settings.timezone,
        max_rejected=claimed.settings.max_rejected,
    )


def _counts(claimed: Claimed, outcome: Outcome, work: Path) -> Counts:
    path = None
    if outcome.rejected:
        dataset_id, import_id = claimed.row.dataset_id, claimed.row.id
        path = reports.keep(work / ERRORS, dataset_id=dataset_id, import_id=import_id)
    return Counts(
        accepted=outcome.accepted,
        duplicates=outcome.duplicates,
        rejected=outcome.rejected,
        errors=outcome.errors,
        errors_path=path,
    )


def _publish(claimed: Claimed, outcome: Outcome, counts: Counts, blocks: Iterator[bytes]) -> None:
    lease, kind = claimed.lease, claimed.row.kind
    if outcome.warnings:
        with unit_of_work(lease.project_id) as session:
            imports.warn(session, lease, outcome.warnings)
    with unit_of_work(setting="ingest_database_url") as session:
        columns = KINDS[kind].staged
        staging.publish(session, lease, kind, columns=columns, blocks=blocks, counts=counts)


def _blocks(path: Path, watch: Callable[[], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            watch()
            yield block
