"""The series' table: one line a trial, for people and as Markdown."""

from collections.abc import Sequence

from tests.faults.trial import Outcome

HEADER = (
    "fault",
    "strikes at",
    "seed",
    "ending",
    "goes on after",
    "calls",
    "paid again",
    "lost",
    "double",
    "verdict",
)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return one trial's cells; `goes on after` counts from the mending to the next progress."""
    recovered = "" if outcome.recovered is None else f"{outcome.recovered:.1f} s"
    return (
        outcome.fault,
        outcome.moment,
        str(outcome.seed),
        outcome.ending,
        recovered,
        str(outcome.calls),
        str(outcome.extra),
        str(outcome.lost),
        str(outcome.double),
        "holds" if not outcome.wrong else "; ".join(outcome.wrong).splitlines()[0],
    )


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the table as Markdown, and a line with its sum."""
    rows = [HEADER, tuple("---" for _ in HEADER), *(cells(outcome) for outcome in outcomes)]
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([*lines, "", summary(outcomes), ""])


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return how many trials held."""
    held = sum(not outcome.wrong for outcome in outcomes)
    again = max((outcome.extra for outcome in outcomes), default=0)
    return f"{held} of {len(outcomes)} trials held; at most {again} calls were paid again."
