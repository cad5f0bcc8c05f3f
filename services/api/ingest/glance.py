"""A first look at a Parquet upload, in the limited process: the api reads no footer itself."""

from dataclasses import replace
from pathlib import Path

from services.api.ingest import child, spool
from services.api.ingest.plan import Bounds, Options, Plan
from services.shared.errors import InvalidError, MalformedError, RetryLaterError, TooLargeError

MEMORY = 3 << 29  # of address space: several uploads may be looked at at once
REFUSALS = {kind.__name__: kind for kind in (InvalidError, MalformedError, TooLargeError)}


def glance(path: Path, *, kind: str, options: Options, bounds: Bounds) -> None:
    """Raise InvalidError for its columns, MalformedError for damage, TooLargeError for its rows."""
    work = path.with_name(f"{path.name}.glance")
    work.mkdir()
    plan = Plan(
        source=str(path),
        target=str(work),
        kind=kind,
        options=options,
        bounds=replace(bounds, memory_bytes=min(bounds.memory_bytes, MEMORY)),
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
        refusal = REFUSALS[outcome.refusal]
        raise refusal(outcome.failure["detail"], code=outcome.failure["code"])


def _wait() -> None:
    """Let the process go on: its own limit of processor time ends it."""
