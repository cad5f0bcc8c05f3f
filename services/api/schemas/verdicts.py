"""Verdicts and the noise report."""

from typing import Any
from uuid import UUID

from pydantic import Field

from services.api.schemas.base import UUID_EXAMPLE, Answer, NextPage

BINS = {"bins": [0.0, 0.5, 1.0], "hard": [3, 1], "noise": [9, 0], "clean": [1, 7], "unsure": [2, 2]}


class Opinion(Answer):
    """One view's rating."""

    label: str = Field(examples=["Low"])
    reason: str = Field(examples=["The reader loves sea stories; this is a tax manual."])


class Opinions(Answer):
    """Both views; null where a view has no rating."""

    user: Opinion | None
    item: Opinion | None


class VerdictAnswer(Answer):
    """What a run made of a suspicious pair, and did about it."""

    run_id: UUID = Field(examples=[UUID_EXAMPLE])
    user_id: str = Field(examples=["u1"])
    item_id: str = Field(examples=["b/17"])
    edge: bool = Field(examples=[True])
    """Whether the pair was in the log."""
    verdict: str = Field(examples=["noise"])
    decided_by: str = Field(examples=["rule"])
    action: str = Field(examples=["drop"])
    score: float = Field(examples=[-0.41])
    """The suspicion score that chose the pair: the lower, the less the graph believes it."""
    ratings: Opinions


class Verdicts(Answer):
    """A page of verdicts."""

    verdicts: list[VerdictAnswer]
    next_page_token: NextPage


class Totals(Answer):
    """How many of what."""

    edges: int | None = Field(examples=[12034])
    candidates: int = Field(examples=[2000])
    rated: int = Field(examples=[2000])
    flagged: int = Field(examples=[311])
    dropped: int = Field(examples=[290])
    added: int = Field(examples=[12])
    by_verdict: dict[str, int] = Field(
        examples=[{"hard": 120, "noise": 311, "clean": 800, "unsure": 769}]
    )


class AgreementAnswer(Answer):
    """Share of the pairs rated in both views to which both gave the same label."""

    views: float | None = Field(examples=[0.71])
    pairs: int = Field(examples=[1980])


class Examples(Answer):
    """The edges that the graph itself believed least."""

    noisiest: list[VerdictAnswer]
    hardest: list[VerdictAnswer]


class Histograms(Answer):
    """Counts by verdict between the edges in `bins`; null where the run kept none."""

    score: dict[str, Any] | None = Field(examples=[BINS])
    loss: dict[str, Any] | None = Field(examples=[BINS])


class NoiseReport(Answer):
    """What a run found."""

    run_id: UUID = Field(examples=[UUID_EXAMPLE])
    dataset_version: int = Field(examples=[12])
    totals: Totals
    flagged_share: float | None = Field(examples=[0.0258])
    """Edges called noise among all edges that were trained on."""
    agreement: AgreementAnswer
    examples: Examples
    histograms: Histograms
