"""What the api asks the scorer, and what it says: JSON over HTTP, checked on both sides.

`POST /v1/recommend` takes an `Ask` and answers a `Reply`, `POST /v1/similar` an `AskSimilar` and
a `SimilarReply`, both under `Authorization: Bearer <WINNOW_SCORER_KEY>`. The api has looked at the
caller's key and at the dataset; the scorer sees no more than the project that is named.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

VERSION: Literal[1] = 1
MAX_QUESTIONS = 1_000
"""Users of one request."""
MAX_ITEMS = 1_000
"""Items of one session."""
MAX_K = 1_000
MAX_FILTER = 1_000
"""Characters."""

Strategy = Literal["model", "fold_in", "text", "popular"]
"""What answered: the trained vector, the history, the profile text, or what everybody likes."""

Graph = Literal["raw", "denoised"]
Likeness = Literal["collaborative", "semantic"]
Length = Annotated[int, Field(ge=1, le=MAX_K)]


class _Wire(BaseModel):
    """Read strictly where it decides, and open to fields of a newer version."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Question(_Wire):
    """Somebody to recommend to: a user by id, or a session by its items and text."""

    user_id: str | None = None
    items: Annotated[tuple[str, ...], Field(max_length=MAX_ITEMS)] = ()
    text: str | None = None


class _About(_Wire):
    """Which model answers, and which items may be said."""

    version: Literal[1] = VERSION
    project_id: UUID
    dataset_id: UUID
    model_id: UUID
    graph: Graph | None = None  # by default the model's own choice
    k: Length
    filter: Annotated[str, Field(max_length=MAX_FILTER)] | None = None


class Ask(_About):
    """The same wishes for everybody who is asked about."""

    exclude_seen: bool = True
    explain: bool = False
    fresh: bool = False  # a known user with newer interactions is folded in
    include_new_items: bool = False
    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=MAX_QUESTIONS)]


class AskSimilar(_About):
    """Which items are like one item."""

    item_id: str
    by: Likeness = "collaborative"


class Entry(_Wire):
    """One item of a list; `new` ones came after the training and are known by their text."""

    item_id: str
    score: float
    reasons: tuple[JsonValue, ...] = ()
    new: bool = False


class Told(_Wire):
    """A list, best first, and what it was made of."""

    strategy: Strategy
    items: tuple[Entry, ...]
    unknown_items: tuple[str, ...] = ()


class Reply(_Wire):
    """One list a question, in their order."""

    answers: tuple[Told, ...]


class SimilarReply(_Wire):
    """The items that are most like the one that was asked about."""

    items: tuple[Entry, ...]
