"""An import that validates only: all that a real one would find, and nothing that stays."""

from collections.abc import Iterator

from services.api.ingest.columns import KINDS
from services.api.ingest.plan import Outcome
from services.api.worker.settle_import import Claimed
from services.shared.db.repos import imports, staging
from services.shared.db.repos.imports import Counts
from services.shared.db.session import unit_of_work


def rehearse(claimed: Claimed, outcome: Outcome, counts: Counts, blocks: Iterator[bytes]) -> None:
    """Keep the counts for the job's result; InvalidError where publishing would raise it.

    Only known ids are looked up in the database: that is done by publishing and rolling it back.
    """
    lease, kind = claimed.lease, claimed.row.kind
    if claimed.settings.require_known_ids and kind == "interactions":
        with unit_of_work(setting="ingest_database_url") as session:
            columns = KINDS[kind].staged
            staging.rehearse(session, lease, kind, columns=columns, blocks=blocks, counts=counts)
    with unit_of_work(lease.project_id) as session:
        if outcome.warnings:
            imports.warn(session, lease, outcome.warnings)
        imports.tell(session, lease, counts)
