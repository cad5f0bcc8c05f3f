"""From a chat request to a chat completion: read the question, rate it, dress it as asked."""

import hashlib
import time
from dataclasses import dataclass

import orjson

from services.local_llm.faults import Faults, Kind
from services.local_llm.question import read_question
from services.local_llm.rater import LABELS, Answer, Rater
from services.local_llm.tokens import TokenCounter
from services.local_llm.vectors import Vectors
from services.local_llm.wire import CHAT_MODEL, ChatRequest, Property
from services.shared.errors import InvalidError
from services.shared.llm.reference import DIGITS, read_reference

DEFAULT_FIELDS = ("label", "reason")
REFERENCE = "ref"


@dataclass(frozen=True)
class Chat:
    """The chat route's parts; `complete` is all it does."""

    rater: Rater
    vectors: Vectors
    tokens: TokenCounter
    faults: Faults
    fingerprint: str

    async def complete(self, request: ChatRequest, fault: Kind | None) -> dict[str, object]:
        """Return the completion's body, spoilt as `fault` says.

        Raises MalformedError or InvalidError for a prompt that holds no question, or a schema that
        asks for more than a label and a reason.
        """
        prompt = "\n".join(m.text for m in request.messages if m.role == "user")
        reference = read_reference(prompt)
        fields = fields_of(request, referenced=reference is not None)
        question = read_question(prompt)
        vectors = await self.vectors.of(question.texts)
        answer = self.rater.rate(question, vectors)
        if self.faults.hallucinates(prompt.encode()):
            answer = _flipped(answer, prompt)
        values = {"label": answer.label, "reason": answer.reason, REFERENCE: reference}
        content = orjson.dumps({name: values[name] for name in fields}).decode()
        return self._body(request, _spoil(content, fault), fault)

    def _body(self, request: ChatRequest, content: str, fault: Kind | None) -> dict[str, object]:
        message = {"role": "assistant", "content": content, "refusal": None}
        finish = "length" if fault == "truncated" else "stop"
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        digest = hashlib.sha256("\0".join(m.text for m in request.messages).encode()).hexdigest()
        return {
            "id": f"chatcmpl-{digest[:24]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": CHAT_MODEL,
            "system_fingerprint": self.fingerprint,
            "choices": [choice],
            "usage": self._usage([m.text for m in request.messages], content),
        }

    def _usage(self, prompts: list[str], content: str) -> dict[str, int]:
        asked = sum(self.tokens.count(text) for text in prompts)
        said = self.tokens.count(content)
        return {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
        }


def fields_of(request: ChatRequest, *, referenced: bool) -> tuple[str, ...]:
    """Return the reply's fields in the order of the request's schema.

    A prompt that carries a reference has it repeated. Raises InvalidError for a schema that the
    rater cannot fill: another required field, or a label that may not be High, Mid or Low.
    """
    form = request.response_format
    known = (*DEFAULT_FIELDS, REFERENCE) if referenced else DEFAULT_FIELDS
    if form is None or form.json_schema is None:
        return known
    schema = form.json_schema.schema_
    fields = tuple(name for name in schema.properties if name in known)
    label = schema.properties.get("label", Property())
    extra = set(schema.required) - set(fields)
    if "label" not in fields or extra or not set(LABELS) <= set(label.enum or LABELS):
        raise InvalidError(
            f"{CHAT_MODEL} fills only `label` (High, Mid, Low) and `reason`, "
            "and `ref` where the prompt carries one.",
            pointer="response_format.json_schema.schema",
        )
    return fields


def _flipped(answer: Answer, prompt: str) -> Answer:
    """Return the wrong label; from Mid, up or down by the prompt's hash."""
    up = hashlib.sha256(b"up" + prompt.encode()).digest()[0] % 2
    wrong = {"High": "Low", "Low": "High", "Mid": "High" if up else "Low"}[answer.label]
    return Answer(next(label for label in LABELS if label == wrong), answer.reason)


def _of_another(reply: dict[str, str]) -> dict[str, str]:
    """Return a reply as whole as this one that belongs to another question."""
    label = next(label for label in LABELS if label != reply["label"])
    other = {**reply, "label": label}
    if REFERENCE in reply:
        other[REFERENCE] = hashlib.sha256(reply[REFERENCE].encode()).hexdigest()[:DIGITS]
    return other


def _spoil(content: str, fault: Kind | None) -> str:
    match fault:
        case "malformed":
            return "Sure! The label is " + content.replace('"', "'")
        case "truncated":
            return content[: len(content) // 2]
        case "bad_label":
            return orjson.dumps({**orjson.loads(content), "label": "Maybe"}).decode()
        case "other_pair":
            return orjson.dumps(_of_another(orjson.loads(content))).decode()
        case _:
            return content
