"""The base of all specs: unknown fields are refused, values never change, errors are ours."""

from collections.abc import Mapping
from typing import Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from services.shared.canonical import Json, content_digest
from services.shared.errors import Fault, InvalidError
from services.shared.plain_words import plain


class Spec(BaseModel):
    """A frozen model with a hash of its content."""

    model_config = ConfigDict(
        strict=True,  # "64" and true are no numbers
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @classmethod
    def read(cls, body: Mapping[str, object]) -> Self:
        """Return the spec; InvalidError with one fault, and its RFC 6901 pointer, per error."""
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            faults = [_fault(fault["loc"], plain(fault, cls)) for fault in error.errors()]
            raise InvalidError(faults[0].detail, pointer=faults[0].pointer, errors=faults) from None

    def to_json(self) -> dict[str, Json]:
        """Return every field, defaults included, as JSON values: what a run's row keeps."""
        return cast("dict[str, Json]", self.model_dump(mode="json"))


def digest(spec: Spec, *, without: frozenset[str] = frozenset()) -> bytes:
    """Return the 32-byte hash of a spec's fields, defaults included."""
    fields = {name: value for name, value in spec.to_json().items() if name not in without}
    return content_digest(fields)


def _fault(place: tuple[int | str, ...], message: str) -> Fault:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    pointer = "".join(f"/{step}" for step in steps)
    name = place[-1] if place else "body"
    return Fault(code="INVALID", detail=f"{name}: {message}", pointer=pointer)
