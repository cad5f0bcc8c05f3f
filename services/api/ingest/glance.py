"""A first look at a Parquet upload, in the limited process: the api reads no footer itself."""

from pathlib import Path

from services.api.ingest import child, spool
from services.api.ingest.plan import Bounds, Options, Plan
from services.shared.errors import InvalidError, MalformedError, RetryLaterError


def glance(path: Path, *, kind: str, options: Options, bounds: Bounds) -> None:
    """Raise InvalidError for columns that cannot be taken, MalformedError for a damaged file."""
    work = path.with_name(f"{path.name}.glance")
    work.mkdir()
    plan = Plan(
        source=str(path),
        target=str(work),
        kind=kind,
        options=options,
        bounds=bounds,
        timezone=None,
        max_rejected=1,
        glance=True,
    )
    try:
        outcome = child.run(plan, watch=_wait)
    except RetryLaterError:
        detail = "The footer of the Parquet file is damaged: it breaks its reader."
        raise MalformedError(detail, code="BAD_PARQUET") from None
    finally:
        spool.remove(work)
    if outcome.failure is not None:
        kind_of_error = InvalidError if outcome.invalid else MalformedError
        raise kind_of_error(outcome.failure["detail"], code=outcome.failure["code"])


def _wait() -> None:
    """Let the process go on: its own limit of processor time ends it."""
