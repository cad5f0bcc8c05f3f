"""Verdicts and the noise report."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, WithJsonSchema

from services.api.schemas.base import (
    MOMENT,
    OTHER_UUID,
    UUID_EXAMPLE,
    Answer,
    Body,
    CallerId,
    Name,
    NextPage,
)
from services.api.schemas.interactions import RowFault

BINS = {"bins": [0.0, 0.5, 1.0], "hard": [3, 1], "noise": [9, 0], "clean": [1, 7], "unsure": [2, 2]}


MAX_NOTE = 2_000
Verdict = Literal["hard", "noise", "clean", "unsure"]


class NewVerdict(Body):
    """A person's word on a pair."""

    verdict: Verdict = Field(examples=["hard"])
    """An edge: noise drops it, all else keeps it. A non-edge: hard adds it, all else does not."""
    note: str | None = Field(
        default=None, min_length=1, max_length=MAX_NOTE, examples=["A gift for her brother."]
    )
    """Why; kept with the word and in its history."""
    author: Name | None = Field(default=None, examples=["ada@shop.example"])
    """Who says so, in your words; the key that is used is kept beside it."""


class NewVerdictRow(NewVerdict):
    """A person's word of a bulk request, with its pair; the verdict null takes a word back."""

    user_id: CallerId = Field(examples=["u1"])
    item_id: CallerId = Field(examples=["b/17"])
    verdict: Verdict | None = Field(examples=["noise"])  # type: ignore[assignment] # wider on purpose


ROW = {"user_id": "u1", "item_id": "b/17", "verdict": "noise", "note": "A wrong scan."}
_ROWS = {
    "type": "array",
    "items": NewVerdictRow.model_json_schema(),
    "examples": [[ROW]],
    "maxItems": 1000,
}


class NewVerdicts(Body):
    """Up to 1,000 words; each row is checked by itself, of a pair that comes twice the last one."""

    verdicts: Annotated[list[Any], WithJsonSchema(_ROWS)]


class Overruled(Answer):
    """What became of the rows."""

    received: int = Field(examples=[3])
    changed: int = Field(examples=[1])
    """Words that differ, in verdict, note or author, from what stood there."""
    rejected: int = Field(examples=[1])
    errors: list[RowFault]
    version: int = Field(examples=[13])
    """The dataset's version now: a run whose snapshot has it obeys these words."""


class SpokenAnswer(Answer):
    """A person's word, or one change of it."""

    verdict: str | None = Field(examples=["hard"])
    """Null where the word was withdrawn."""
    note: str | None = Field(examples=["A gift for her brother."])
    author: str | None = Field(examples=["ada@shop.example"])
    """Whom the caller named."""
    key_id: UUID | None = Field(examples=[OTHER_UUID])
    """The key under which it was said."""
    key_name: str | None = Field(examples=["review desk"])
    key_prefix: str | None = Field(examples=["3f9a1c07b2de"])
    undo_of: UUID | None = Field(examples=[None])
    """The run whose change of this pair an undo took back."""
    dataset_version: int = Field(examples=[13])
    """The version of the dataset that it made."""
    said_at: datetime = Field(examples=[MOMENT])
    pending: bool = Field(examples=[True])
    """Whether no model has learned of it yet."""


class Opinion(Answer):
    """One view's rating."""

    label: str = Field(examples=["Low"])
    reason: str = Field(examples=["The reader loves sea stories; this is a tax manual."])


class Opinions(Answer):
    """Both views; null where a view has no rating."""

    user: Opinion | None
    item: Opinion | None


class VerdictAnswer(Answer):
    """What a run made of a pair and did about it, and what a person says of the pair now.

    Of a pair that no run has decided yet, a person's word stands alone: what a run would fill in
    is null.
    """

    run_id: UUID | None = Field(examples=[UUID_EXAMPLE])
    user_id: str = Field(examples=["u1"])
    item_id: str = Field(examples=["b/17"])
    edge: bool | None = Field(examples=[True])
    """Whether the pair was in the log that the run trained on."""
    verdict: str = Field(examples=["noise"])
    decided_by: str = Field(examples=["rule"])
    """`rule`, from both ratings, or `person`."""
    action: str | None = Field(examples=["drop"])
    not_done: str | None = Field(examples=[None])
    """Why a wanted action was not done: share_cap, last_edge, item_cap, held_out, not_in_graph."""
    score: float | None = Field(examples=[-0.41])
    """The suspicion score that chose the pair: the lower, the less the graph believes it."""
    ratings: Opinions
    person: SpokenAnswer | None
    """A person's word as it stands now, which may be newer than the run."""


class PairAnswer(Answer):
    """All that is known of one pair."""

    user_id: str = Field(examples=["u1"])
    item_id: str = Field(examples=["b/17"])
    in_log: bool = Field(examples=[True])
    """Whether the log holds an interaction of the pair now."""
    pending: bool = Field(examples=[True])
    """Whether the last change of the person's word waits for the next run."""
    run: VerdictAnswer | None
    """What the newest run made of it."""
    person: SpokenAnswer | None
    """What a person says of it now."""
    history: list[SpokenAnswer]
    """The changes of that, the newest first, at most 100."""


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


class DropsAnswer(Answer):
    """Edges that ratings would drop, and what came of it; people's drops are not among them."""

    wanted: int = Field(examples=[311])
    done: int = Field(examples=[290])
    share_cap: int = Field(examples=[20])
    """Not done: the run had dropped its share of the edges."""
    last_edge: int = Field(examples=[1])
    """Not done: the user's last edge."""
    at_most: int | None = Field(examples=[290])
    """How many the run's share came to."""
    max_drop_share: float | None = Field(examples=[0.1])


class PeopleAnswer(Answer):
    """Pairs of which a person spoke, and what the run did about them."""

    words: int = Field(examples=[7])
    by_verdict: dict[str, int] = Field(examples=[{"hard": 3, "noise": 4, "clean": 0, "unsure": 0}])
    dropped: int = Field(examples=[3])
    added: int = Field(examples=[1])
    not_done: dict[str, int] = Field(examples=[{"last_edge": 1}])
    """By reason: last_edge, held_out, not_in_graph."""
    pending: int = Field(examples=[2])
    """Words of now that no model has learned of yet."""


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
    drops: DropsAnswer
    people: PeopleAnswer
    flagged_share: float | None = Field(examples=[0.0258])
    """Edges called noise among all edges that were trained on."""
    agreement: AgreementAnswer
    examples: Examples
    histograms: Histograms
