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


REPLY_SCHEMA: dict[str, object] = {
    "type": "object",
    # the reason is generated first: a label after its grounds is better grounded
    "properties": {
        "reason": {"type": "string", "description": "One sentence naming the evidence."},
        "label": {"type": "string", "enum": [label.value for label in Label]},
    },
    "required": ["reason", "label"],
    "additionalProperties": False,
}


def response_format() -> dict[str, object]:
    """Return the `response_format` of a chat request whose endpoint has structured outputs."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "pair_rating", "strict": True, "schema": REPLY_SCHEMA},
    }


def parse(reply: str) -> Answer:
    """Return the answer; raises UnparsableReplyError, whose detail never quotes the reply.

    The reason is printable and at most MAX_REASON_CHARS long: it is stored and shown.
    """
    fields = _object(reply)
    if set(fields) != {"label", "reason"}:
        raise UnparsableReplyError("The reply does not have exactly a label and a reason.")
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
