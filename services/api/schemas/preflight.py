"""The preflight report of a dataset."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.api.schemas.base import MOMENT, Answer


class Counts(Answer):
    """All events, and the unique (user, item) pairs among those that count as positive."""

    events: int = Field(examples=[2_910])
    users: int = Field(examples=[300])
    items: int = Field(examples=[240])
    positive_events: int = Field(examples=[2_400])
    positive_share: float | None = Field(examples=[0.825])
    positive_pairs: int = Field(examples=[2_380])
    positive_users: int = Field(examples=[298])
    positive_items: int = Field(examples=[236])
    user_profiles: int = Field(examples=[300])
    item_profiles: int = Field(examples=[240])
    density: float | None = Field(examples=[0.0338])
    """Positive pairs over users times items of such pairs."""


class Bar(Answer):
    """How many have at least `least` and at most `most` pairs."""

    least: int = Field(examples=[4])
    most: int = Field(examples=[7])
    count: int = Field(examples=[120])


class Spread(Answer):
    """How many positive pairs a user (or an item) has."""

    min: int = Field(examples=[1])
    median: float = Field(examples=[7])
    mean: float = Field(examples=[7.99])
    p90: int = Field(examples=[14])
    max: int = Field(examples=[61])
    histogram: list[Bar]
    """Bars that double in width: 1, 2-3, 4-7 and so on."""


class Degrees(Answer):
    """Null where there is not one positive pair."""

    users: Spread | None
    items: Spread | None


class Duplicates(Answer):
    """Events beyond the first."""

    pair: int = Field(examples=[510])
    """Of the same user and item; a run counts a pair once."""
    event: int = Field(examples=[3])
    """Of the same event_id, else of the same user, item, type and timestamp."""


class HeavyUser(Answer):
    """A user with many pairs."""

    user_id: str = Field(examples=["u1"])
    pairs: int = Field(examples=[61])
    share: float = Field(examples=[0.0256])
    """Of all positive pairs."""


class HeavyUsers(Answer):
    """Who holds how much."""

    top_percent_share: float | None = Field(examples=[0.071])
    """Of all positive pairs, what the heaviest hundredth of the users holds."""
    top: list[HeavyUser]


class Untouched(Answer):
    """Profiles that no positive pair names."""

    users: int = Field(examples=[2])
    items: int = Field(examples=[4])
    item_ids: list[str] = Field(examples=[["b/17"]])
    """The first ten of those items."""


class Timestamps(Answer):
    """The times of all events."""

    first: datetime | None = Field(examples=[MOMENT])
    last: datetime | None = Field(examples=[MOMENT])
    missing: int = Field(examples=[0])
    future: int = Field(examples=[0])
    timezone: str | None = Field(examples=[None])
    """What times without an offset were read in; null: such times were refused."""


class TypeCount(Answer):
    """Events of one type; null for those without."""

    type: str | None = Field(examples=["purchase"])
    events: int = Field(examples=[2_910])


class ValueCount(Answer):
    """Events of one value."""

    value: float = Field(examples=[5])
    events: int = Field(examples=[1_200])


class Values(Answer):
    """The values of all events."""

    min: float | None = Field(examples=[1])
    max: float | None = Field(examples=[5])
    missing: int = Field(examples=[0])
    commonest: list[ValueCount]
    """Up to twenty."""


class Texts(Answer):
    """The texts of users or items."""

    profiles: int = Field(examples=[240])
    missing: int = Field(examples=[0])
    """Profiles without a text that says anything, nor a title."""
    titled: int = Field(examples=[12])
    """Profiles known by their title alone."""
    short: int = Field(examples=[0])
    """Under 20 characters."""
    long: int = Field(examples=[0])
    """Over the limit of a prompt: these are cut there."""
    median_chars: float | None = Field(examples=[310])
    max_chars: int | None = Field(examples=[980])
    prompt_limit: int = Field(examples=[4_000])
    scripts: dict[str, float] = Field(examples=[{"Latin": 0.98, "Han": 0.02}])
    """Shares by the script of most letters; languages are not told apart."""
    non_latin: float = Field(examples=[0.021])
    """Share with a tenth or more of the letters in another script than Latin."""
    read: int = Field(examples=[240])
    """Texts whose letters were looked at."""
    exact: bool = Field(examples=[True])
    """Every text that can be of another script was looked at; else the shares are estimates."""


class BothTexts(Answer):
    """The texts of both sides."""

    users: Texts
    items: Texts


class Core(Answer):
    """What the least degrees take away."""

    min_user_degree: int = Field(examples=[2])
    min_item_degree: int = Field(examples=[1])
    users_lost: int = Field(examples=[9])
    items_lost: int = Field(examples=[1])
    pairs_lost: int = Field(examples=[9])
    settled: bool = Field(examples=[True])
    """False where more would leave than was counted."""


class PartCounts(Answer):
    """One part of the split."""

    pairs: int = Field(examples=[1_660])
    users: int = Field(examples=[289])
    items: int = Field(examples=[235])


class SplitCounts(Answer):
    """What the dataset's `split` gives of what the core leaves."""

    kind: Literal["random", "temporal", "leave_last", "column"] = Field(examples=["random"])
    exact: bool = Field(examples=[False])
    """False for a random split: the mean of what its hash may draw."""
    train: PartCounts
    val: PartCounts
    test: PartCounts


class Trainable(Answer):
    """What would be left to train on and to judge by."""

    users: int = Field(examples=[289])
    items: int = Field(examples=[235])
    pairs: int = Field(examples=[1_660])
    judged_by_val: int = Field(examples=[160])
    """Users with an item to be found in validation."""
    judged_by_test: int = Field(examples=[230])
    users_without_text: int = Field(examples=[0])
    items_without_text: int = Field(examples=[0])
    users_composed: int = Field(examples=[0])
    """Users without a text, known by the texts of what they like."""
    enough: bool = Field(examples=[True])
    missing: list[str] = Field(examples=[[]])
    """What stands between the dataset and a run."""


class Asking(Answer):
    """What a run with default parameters would ask about."""

    budget_pairs: int = Field(examples=[10_000])
    pairs: int = Field(examples=[3_480])
    edges: int = Field(examples=[580])
    non_edges: int = Field(examples=[2_900])
    calls: int = Field(examples=[6_960])
    pairs_without_budget: int = Field(examples=[3_480])


class Warned(Answer):
    """What a run would trip over."""

    code: str = Field(examples=["FUTURE_TIMESTAMP"])
    detail: str = Field(examples=["2 events lie in the future, the last at 2031-05-01."])
    help: str = Field(examples=["Check the unit (seconds or milliseconds)."])


class PreflightReport(Answer):
    """What a dataset holds, and what a run would make of it."""

    dataset_version: int = Field(examples=[12])
    made_at: datetime = Field(examples=[MOMENT])
    seconds: float = Field(examples=[0.21])
    """What the report took."""
    counts: Counts
    degrees: Degrees
    duplicates: Duplicates
    heavy_users: HeavyUsers
    untouched: Untouched
    timestamps: Timestamps
    types: list[TypeCount]
    """Up to twenty, the commonest first."""
    values: Values
    texts: BothTexts
    core: Core
    split: SplitCounts
    trainable: Trainable
    run: Asking
    warnings: list[Warned]
