"""A dataset's settings: what counts as positive, how it is split, what is refused."""

from datetime import tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from services.shared.specs.base import Spec, digest

MAX_SEED = 2**63 - 1


class Split(Spec):
    """How interactions fall into train, validation and test."""

    kind: Literal["random", "temporal", "leave_last", "column"] = "random"
    """By hash of (seed, user, item), by time, each user's last ones, or an uploaded column."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """Of the hash; only read by `random`."""
    val: float = Field(default=0.1, ge=0, lt=1)
    """Share of validation; read by `random` and `temporal`."""
    test: float = Field(default=0.2, ge=0, lt=1)
    """Share of test; read by `random` and `temporal`."""

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> "Split":
        if self.val + self.test >= 1:
            raise ValueError("val and test together must be below 1: the rest is for training")
        return self


class DatasetSettings(Spec):
    """All settings of a dataset; every field has a default."""

    positive: str | None = Field(default=None, min_length=1, max_length=1000)
    """Which interactions are positive, such as `value>=4`; null for all of them."""
    split: Split = Split()
    """Which interactions train, choose and judge."""
    min_user_degree: int = Field(default=1, ge=1, le=1000)
    """Users with fewer positives are left out, together with the next, until all have enough."""
    min_item_degree: int = Field(default=1, ge=1, le=1000)
    """Items with fewer positives are left out."""
    timezone: str | None = Field(default=None, max_length=100)
    """The zone of times without an offset, such as `Europe/Berlin`; null refuses such times."""
    require_known_ids: bool = False
    """Refuse interactions of users or items that were not uploaded before."""
    max_rejected: float = Field(default=0.01, ge=0, le=1)
    """Share of bad lines over which an import has failed."""
    max_drop_share: float = Field(default=0.1, ge=0, le=1)
    """Most that a run may ask to drop of the edges: its own `max_drop_share` is at most this."""

    @field_validator("positive")
    @classmethod
    def _printable(cls, expression: str | None) -> str | None:
        if expression is not None and not expression.isprintable():
            raise ValueError("must be one printable line, such as value>=4")
        return expression

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None and zone(name) is None:
            raise ValueError("must be an IANA zone, such as Europe/Berlin or UTC")
        return name

    def config_hash(self) -> bytes:
        """Return 32 bytes over all fields, defaults included."""
        return digest(self)


def zone(name: str) -> tzinfo | None:
    """Return the IANA zone of that name, or None."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
