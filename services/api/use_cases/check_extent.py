"""Refuse at once a run that its snapshot would have to end."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from services.shared import expression
from services.shared.db.repos import extents
from services.shared.db.repos.extents import Extent
from services.shared.errors import Fault, InvalidError
from services.shared.expression import Comparison
from services.shared.specs import DatasetSettings

MIN_USERS, MIN_ITEMS, MIN_JUDGED = 10, 10, 5
"""As the snapshot asks after filtering and splitting: without these it need not begin."""
TIMED = frozenset({"temporal", "leave_last"})


DRAWN = frozenset({"random", "temporal"})
"""Splits that read the shares `val` and `test`."""

LEAVE_LAST = 3
"""Pairs of a user from which leave_last takes one to choose by and one to test by."""


def check_extent(session: Session, dataset_id: UUID, settings: DatasetSettings) -> None:
    """Raise InvalidError, with counts, when the positive events are too few or cannot be split.

    The least degrees are asked for once: who leaves because others left is known to the snapshot
    only, which asks again.
    """
    _check_shares(settings)
    clauses = expression.parse(settings.positive) if settings.positive else ()
    found = extents.extent(session, dataset_id, clauses)
    _check_counts(found, settings)
    _check_degrees(session, dataset_id, clauses, settings)
    if settings.split.kind in TIMED:
        undated = extents.undated_pairs(session, dataset_id, clauses)
        if undated:
            raise InvalidError(
                f"The split {settings.split.kind} reads times, and {undated} pairs have none.",
                code="SPLIT_IMPOSSIBLE",
            )


def _check_shares(settings: DatasetSettings) -> None:
    rule = settings.split
    if rule.kind in DRAWN and 0 in {rule.val, rule.test}:
        empty, use = ("val", "choose the best epoch") if rule.val == 0 else ("test", "judge")
        raise InvalidError(
            f"The dataset's split.{empty} is 0, so there is nothing to {use} by; "
            f"at least {MIN_JUDGED} users need an interaction there.",
            code="SPLIT_IMPOSSIBLE",
        )


def _check_degrees(
    session: Session, dataset_id: UUID, clauses: Sequence[Comparison], settings: DatasetSettings
) -> None:
    """Raise InvalidError when so few have the least degree that the core cannot be enough."""
    by_last = settings.split.kind == "leave_last"
    user_pairs = max(settings.min_user_degree, LEAVE_LAST if by_last else 1)
    if max(user_pairs, settings.min_item_degree) <= 1:
        return  # the counts before say it all
    users, items = extents.holders(
        session,
        dataset_id,
        clauses,
        user_pairs=user_pairs,
        item_pairs=settings.min_item_degree,
    )
    least_users = MIN_JUDGED if by_last and settings.min_user_degree < LEAVE_LAST else MIN_USERS
    _refuse_few(
        [
            (users, f"users have {user_pairs} different items or more", least_users),
            (items, f"items have {settings.min_item_degree} different users or more", MIN_ITEMS),
        ],
        told=f"Too little is left to train and evaluate with {_why(settings, by_last=by_last)}.",
    )


def _why(settings: DatasetSettings, *, by_last: bool) -> str:
    least = f"min_user_degree {settings.min_user_degree}"
    least += f" and min_item_degree {settings.min_item_degree}"
    return f"{least} under the split leave_last" if by_last else least


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
    kept = "" if settings.positive is None else f" where {settings.positive}"
    counts = f"{found.interactions} interactions, {found.users} users, {found.items} items"
    _refuse_few(wanted, told=f"Too little to train and evaluate: {counts}{kept}.")


def _refuse_few(wanted: Sequence[tuple[int, str, int]], *, told: str) -> None:
    """Raise InvalidError with a fault for each (number, what, least) that is short."""
    faults = [
        Fault(code="TOO_LITTLE_DATA", detail=f"{n} {what}, {least} are needed.")
        for n, what, least in wanted
        if n < least
    ]
    if faults:
        raise InvalidError(told, code="TOO_LITTLE_DATA", errors=faults)
