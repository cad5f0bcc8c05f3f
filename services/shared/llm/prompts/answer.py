"""From a reply to an answer: one of three labels or an error, never a guess.

A reply counts only as the JSON object that the schema asks for. The one kindness is a Markdown
fence around the whole reply, which models without structured output like to add.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from services.shared.errors import UnparsableReplyError

MAX_REPLY_CHARS = 20_000
MAX_REASON_CHARS = 500

_FENCE = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n```\Z", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Label(StrEnum):
    """How much sense a pair makes (Eq. 13 and 14)."""

    HIGH = "High"
    MID = "Mid"
    LOW = "Low"


@dataclass(frozen=True)
class Answer:
    """One view's word on one pair."""

    label: Label
    reason: str


_FIELDS: dict[str, object] = {
    # the reason is generated first: a label after its grounds is better grounded
    "reason": {"type": "string", "description": "One sentence naming the evidence."},
    "label": {"type": "string", "enum": [label.value for label in Label]},
}

# Any string: a schema of each question's own would be compiled anew by the server for each.
_REFERENCE: dict[str, object] = {
    "ref": {"type": "string", "description": "The reference of the question, copied."}
}


def _schema(fields: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


REPLY_SCHEMA = _schema(_FIELDS)
REFERENCED_REPLY_SCHEMA = _schema({**_FIELDS, **_REFERENCE})


def response_format(*, referenced: bool = False) -> dict[str, object]:
    """Return the `response_format` of a chat request whose endpoint has structured outputs."""
    schema = REFERENCED_REPLY_SCHEMA if referenced else REPLY_SCHEMA
    return {
        "type": "json_schema",
        "json_schema": {"name": "pair_rating", "strict": True, "schema": schema},
    }


def parse(reply: str, *, reference: str | None = None) -> Answer:
    """Return the answer; raises UnparsableReplyError, whose detail never quotes the reply.

    With a `reference`, a reply that does not carry it answers another question. The reason is
    printable and at most MAX_REASON_CHARS long: it is stored and shown.
    """
    fields = _object(reply)
    wanted = {"label", "reason"} if reference is None else {"label", "reason", "ref"}
    if set(fields) != wanted:
        raise UnparsableReplyError(f"The reply does not have exactly {', '.join(sorted(wanted))}.")
    if reference is not None and fields["ref"] != reference:
        raise UnparsableReplyError("The reply carries the reference of another question.")
    label, reason = fields["label"], fields["reason"]
    if not isinstance(label, str) or label not in set(Label):
        raise UnparsableReplyError("The label is not High, Mid or Low.")
    if not isinstance(reason, str) or not (clean := _UNPRINTABLE.sub(" ", reason).strip()):
        raise UnparsableReplyError("The reason is not a sentence.")
    return Answer(Label(label), clean[:MAX_REASON_CHARS])


def _object(reply: str) -> dict[str, object]:
    if len(reply) > MAX_REPLY_CHARS:
        raise UnparsableReplyError(f"The reply is longer than {MAX_REPLY_CHARS} characters.")
    text = reply.strip()
    fence = _FENCE.match(text)
    try:
        value = json.loads(fence.group(1) if fence else text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise UnparsableReplyError("The reply is not one JSON object.") from error
    if not isinstance(value, dict):
        raise UnparsableReplyError("The reply is not one JSON object.")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):  # {"label": "High", "label": "Low"} says nothing
        raise ValueError("a key stands twice")
    return fields
