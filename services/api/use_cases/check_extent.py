"""Refuse at once a run that its snapshot would have to end."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.shared import expression
from services.shared.db.repos import extents
from services.shared.db.repos.extents import Extent
from services.shared.errors import Fault, InvalidError
from services.shared.specs import DatasetSettings

MIN_USERS, MIN_ITEMS, MIN_JUDGED = 10, 10, 5
"""As the snapshot asks after filtering and splitting: without these it need not begin."""
TIMED = frozenset({"temporal", "leave_last"})


def check_extent(session: Session, dataset_id: UUID, settings: DatasetSettings) -> None:
    """Raise InvalidError, with counts, when the positive events are too few or cannot be split.

    What is left after the least degrees is known to the snapshot only, which asks again.
    """
    clauses = expression.parse(settings.positive) if settings.positive else ()
    found = extents.extent(session, dataset_id, clauses)
    _check_counts(found, settings)
    if settings.split.kind in TIMED:
        undated = extents.undated_pairs(session, dataset_id, clauses)
        if undated:
            raise InvalidError(
                f"The split {settings.split.kind} reads times, and {undated} pairs have none.",
                code="SPLIT_IMPOSSIBLE",
            )


def _check_counts(found: Extent, settings: DatasetSettings) -> None:
    wanted = [
        (found.users, "users have interactions", MIN_USERS),
        (found.items, "items have interactions", MIN_ITEMS),
    ]
    if settings.split.kind == "column":
        wanted += [
            (found.val_users, "users have interactions with the split val", MIN_JUDGED),
            (found.test_users, "users have interactions with the split test", MIN_JUDGED),
        ]
    faults = [
        Fault(code="TOO_LITTLE_DATA", detail=f"{n} {what}, {least} are needed.")
        for n, what, least in wanted
        if n < least
    ]
    if faults:
        kept = "" if settings.positive is None else f" where {settings.positive}"
        counts = f"{found.interactions} interactions, {found.users} users, {found.items} items"
        raise InvalidError(
            f"Too little to train and evaluate: {counts}{kept}.",
            code="TOO_LITTLE_DATA",
            errors=faults,
        )
