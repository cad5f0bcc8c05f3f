"""The OpenAI-style bodies this endpoint reads, and its errors in their shape."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from services.shared.errors import InvalidError, NotFoundError

INVALID = "invalid_request_error"
CHAT_MODEL = "winnow-local-rater"
EMBEDDING_MODEL = "winnow-local-encoder"
MAX_INPUTS = 2048  # as OpenAI's


class Part(BaseModel):
    """One part of a message that comes as a list."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One message; only a user's is read."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Return the message's text, its parts joined."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Property(BaseModel):
    """What is read of a schema's property."""

    enum: list[str] | None = None


class Schema(BaseModel):
    """What is read of a reply's schema: its properties in their order, and which must be there."""

    properties: dict[str, Property] = Field(default_factory=dict)
    required: list[str] = Field(default_factory=list)


class JsonSchema(BaseModel):
    """A named schema that the reply must follow."""

    name: str = ""
    schema_: Schema = Field(alias="schema")


class ResponseFormat(BaseModel):
    """Free text, any JSON object, or one schema's."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(BaseModel):
    """POST /v1/chat/completions; sampling parameters are read past: the rater has none."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    response_format: ResponseFormat | None = None
    stream: Literal[False] | None = None
    n: Literal[1] | None = None


class EmbeddingsRequest(BaseModel):
    """POST /v1/embeddings."""

    model: str
    input: str | list[str] = Field(min_length=1)
    encoding_format: Literal["float", "base64"] = "float"

    @property
    def texts(self) -> Sequence[str]:
        """Return the inputs as a list, InvalidError if there are more than MAX_INPUTS."""
        texts = [self.input] if isinstance(self.input, str) else self.input
        if len(texts) > MAX_INPUTS:
            raise InvalidError(f"At most {MAX_INPUTS} inputs per request.", pointer="input")
        return texts


Body = TypeVar("Body", ChatRequest, EmbeddingsRequest)
MODELS = {ChatRequest: CHAT_MODEL, EmbeddingsRequest: EMBEDDING_MODEL}


def read(kind: type[Body], body: bytes) -> Body:
    """Return the request; InvalidError names the field, NotFoundError the model.

    The error never quotes the input: it may hold profile texts.
    """
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidError(f"{where}: {first['msg']}", pointer=where) from None
    if request.model != MODELS[kind]:
        raise NotFoundError("model", request.model)
    return request


def json_response(content: object, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(orjson.dumps(content), status, names, media_type="application/json")


def error_response(
    status: int, message: str, *, kind: str, code: str | None = None, **headers: str
) -> Response:
    """Return an error in OpenAI's shape."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json_response({"error": error}, status, **headers)
