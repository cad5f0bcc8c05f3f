"""OpenAI's bodies: what a request looks like, and what is believed of an answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.shared.llm.budget import Tokens
from services.shared.llm.protocol import ChatRequest, EmbedRequest


@dataclass(frozen=True)
class Chat:
    """What a completion said; `text` is None where it refused or said nothing."""

    text: str | None
    usage: Tokens | None


@dataclass(frozen=True)
class Vectors:
    """What an embedding came to; None unless there is one whole vector per text."""

    vectors: Sequence[Sequence[float]] | None
    usage: Tokens | None


def chat_body(request: ChatRequest) -> bytes:
    """Return the body of a chat completion; what is None is left out."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": list(request.messages),
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.response_format is not None:
        body["response_format"] = request.response_format
    return orjson.dumps(body)


def embed_body(request: EmbedRequest) -> bytes:
    """Return the body of an embeddings call."""
    body = {"model": request.model, "input": list(request.texts), "encoding_format": "float"}
    return orjson.dumps(body)


def read_chat(raw: bytes) -> Chat:
    """Return the first choice's text; nothing is guessed of a body in another shape."""
    answer = _object(raw)
    try:
        text = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        text = None
    return Chat(text if isinstance(text, str) else None, _usage(answer))


def read_vectors(raw: bytes, *, count: int) -> Vectors:
    """Return `count` finite vectors of one width, in the order of their `index`."""
    answer = _object(raw)
    try:
        rows = sorted(answer["data"], key=lambda row: int(row["index"]))
        vectors = [[float(value) for value in row["embedding"]] for row in rows]
        indices = [int(row["index"]) for row in rows]
    except (KeyError, TypeError, ValueError):
        return Vectors(None, _usage(answer))
    whole = indices == list(range(count)) and _sound(vectors)
    return Vectors(vectors if whole else None, _usage(answer))


def _sound(vectors: Sequence[Sequence[float]]) -> bool:
    widths = {len(vector) for vector in vectors}
    return len(widths) == 1 and 0 not in widths and all(map(_finite, vectors))


def _finite(vector: Sequence[float]) -> bool:
    return math.isfinite(math.fsum(map(abs, vector)))


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _usage(answer: Mapping[str, Any]) -> Tokens | None:
    told = answer.get("usage")
    if not isinstance(told, dict) or not isinstance(told.get("prompt_tokens"), int):
        return None
    completion = told.get("completion_tokens")
    said = completion if isinstance(completion, int) else 0
    return Tokens(prompt=told["prompt_tokens"], completion=said)
