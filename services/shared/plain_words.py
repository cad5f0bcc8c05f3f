"""Pydantic's errors in words for callers, who need not know Python to read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

PLAINLY = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "decimal_parsing": "must be a decimal number",
    "decimal_type": "must be a decimal number",
    "dict_type": "must be a JSON object",
    "extra_forbidden": "there is no such field here; /docs lists the fields",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_type": "must be a whole number",
    "list_type": "must be a JSON array",
    "missing": "is required",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "string_pattern_mismatch": "holds a character that is not allowed here",
    "string_type": "must be a text",
    "timezone_aware": "must have an offset from UTC, such as Z or +02:00",
    "uuid_parsing": "must be an id that this api made, a UUID",
    "uuid_type": "must be an id that this api made, a UUID",
}
"""Sentences by the kind of error; the others keep pydantic's, which are plain but for their start.

They read on from the name of the place.
"""

STARTS = {
    "Value error, ": "",
    "Input should be ": "must be ",
    "String should have ": "must have ",
    "List should have ": "must have ",
}
OURS_ALONE = " after validation"
"""What pydantic says at the end of a length, and nobody who sent the list need know."""


def plain(error: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """Return the sentence of one of pydantic's errors.

    `model` is what was read: beside a field that it lacks, those it has are named.
    """
    kind, said = str(error["type"]), str(error["msg"]).replace(OURS_ALONE, "")
    if kind == "extra_forbidden" and model is not None:
        told = known_fields(model, tuple(error["loc"]))
        if told is not None:
            return told
    if kind in PLAINLY:
        return PLAINLY[kind]
    for start, ours in STARTS.items():
        if said.startswith(start):
            return ours + said.removeprefix(start)
    return said


def known_fields(model: type[BaseModel], place: Sequence[int | str]) -> str | None:
    """Return the sentence that names the fields known there; None inside a union's arms."""
    for step in place[:-1]:
        field = model.model_fields.get(str(step))
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        model = inner
    return f"there is no such field; known are {', '.join(model.model_fields)}"
