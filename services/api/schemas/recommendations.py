"""A user's top-K, many users', a session's, and what is like an item."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.api.schemas.base import UUID_EXAMPLE, Answer, Body, CallerId
from services.shared.scoring import MAX_FILTER, MAX_ITEMS, MAX_QUESTIONS, Graph, Strategy

FILTER = 'category="sf" AND price<20'
Filter = Annotated[str, StringConstraints(min_length=1, max_length=MAX_FILTER)]
Reason = dict[str, str] | str


class Recommended(Answer):
    """One item of a list."""

    item_id: str = Field(examples=["b/17"])
    score: float = Field(examples=[3.1274])
    rank: int = Field(examples=[1])
    reasons: list[Reason] = Field(
        examples=[[{"code": "BECAUSE_YOU_LIKED", "item_id": "b/3"}]],
    )
    new: bool = Field(default=False, examples=[False])
    """Whether it came after the training and is known by its text; left out where it is not."""


class Listed(Answer):
    """A list, best first."""

    recommendation_id: str = Field(examples=["kJ0dY2m0mX9T4oKq1u1WfQ"])
    """Name it in interactions that come from this list."""
    strategy: Strategy = Field(examples=["model"])
    """What answered: the trained vector, the history, the profile text, or what is popular."""
    fallback: Literal["popular", "list"] | None = Field(examples=[None])
    """What stood in: `popular` where nothing is known of the user, `list` (the published one,
    perhaps with fewer items than asked for) while the scorer is away."""
    items: list[Recommended]


class Recommendations(Listed):
    """A user's list; what the user has seen is left out unless `exclude_seen` is false."""

    model_id: UUID = Field(examples=[UUID_EXAMPLE])
    dataset_version: int = Field(examples=[12])


class SessionRecommendations(Recommendations):
    """A list for somebody who is not kept."""

    unknown_items: list[str] | None = Field(examples=[["b/404"]])
    """Those of the session's items of which nothing is known; null where nobody could look."""


class UserRecommendations(Listed):
    """One user's list among many."""

    user_id: str = Field(examples=["u1"])


class ManyRecommendations(Answer):
    """One list a user, in the order in which they were asked for."""

    model_id: UUID = Field(examples=[UUID_EXAMPLE])
    dataset_version: int = Field(examples=[12])
    recommendations: list[UserRecommendations]


class _Wishes(Body):
    k: int | None = Field(default=None, ge=1, examples=[20], strict=True)
    """How many items at most; null for 20. The published lists' length is the most."""
    exclude_seen: bool = Field(default=True, strict=True)
    """Leave out what they have."""
    filter: Filter | None = Field(default=None, examples=[FILTER])
    """What an item's attributes must satisfy: comparisons joined by AND."""
    explain: bool = Field(default=False, strict=True)
    """With reasons, where there are any."""
    model: UUID | None = None
    """By default the one that is served."""
    graph: Graph | None = None
    """By default as was chosen for the dataset, else as the model card says."""


class BatchOfUsers(_Wishes):
    """Up to 1,000 users to recommend to."""

    user_ids: Annotated[
        list[CallerId],
        Field(min_length=1, max_length=MAX_QUESTIONS, examples=[["u1", "u2"]]),
    ]
    fresh: bool = Field(default=False, strict=True)
    """Fold in what known users did since the training."""
    include_new_items: bool = Field(default=False, strict=True)
    """Also items that came after the training and have a text."""


class Session(_Wishes):
    """Items that somebody took, latest first or in any order, a text about them, or both."""

    items: Annotated[
        list[CallerId], Field(default_factory=list, max_length=MAX_ITEMS, examples=[["b/17"]])
    ]
    text: str | None = Field(default=None, examples=["Enjoys slow stories set at sea."])
    """Read where none of the items is known."""
    include_new_items: bool = Field(default=True, strict=True)
    """Also items that came after the training and have a text."""


class SimilarItem(Answer):
    """An item and how near it is: the cosine of the vectors."""

    item_id: str = Field(examples=["b/18"])
    score: float = Field(examples=[0.8312])
    rank: int = Field(examples=[1])


class SimilarItems(Answer):
    """The items nearest to one, itself left out."""

    model_id: UUID = Field(examples=[UUID_EXAMPLE])
    item_id: str = Field(examples=["b/17"])
    by: Literal["collaborative", "semantic"] = Field(examples=["collaborative"])
    items: list[SimilarItem]
