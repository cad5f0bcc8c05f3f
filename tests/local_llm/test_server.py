"""The endpoint over real sockets, as an OpenAI client meets it."""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import numpy as np
import orjson
import pytest

from services.local_llm.app import create_app
from services.local_llm.faults import FaultPlan, Faults
from services.local_llm.hashed import HashedTfIdf
from services.local_llm.minilm import MiniLM
from services.local_llm.scores import Matrix
from services.shared.errors import InvalidError, UnparsableReplyError
from services.shared.llm.delimiters import Block, wrap
from services.shared.llm.prompts import (
    REFERENCED_USER_VIEW,
    UserQuestion,
    parse,
    render,
    response_format,
)
from services.shared.llm.reference import read_reference
from tests.local_llm.conftest import KEY, Serve

TOPICS = ("gothic mystery", "tax ledger", "space pirate", "wedding bakery", "desert railway")


def client(url: str, key: str = KEY) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20)


def chat(blocks: Sequence[Block], **more: object) -> dict[str, object]:
    system = {"role": "system", "content": "Rate how well the item fits."}
    user = {"role": "user", "content": f"Texts:\n{wrap(blocks)[1]}\nAnswer as JSON."}
    return {"model": "winnow-local-rater", "messages": [system, user], **more}


def pairs() -> list[list[Block]]:
    readers = [Block("user", f"Enjoys a {topic} with wit.") for topic in TOPICS]
    items = [Block("item", f"The {topic} of the year.") for topic in TOPICS]
    return [[reader, item] for reader in readers for item in items]


def content(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_chat_completion_has_the_shape_and_the_token_counts(serve: Serve, minilm: MiniLM) -> None:
    request = chat(pairs()[0], response_format=response_format())
    with client(serve(minilm)) as http:
        body = http.post("/v1/chat/completions", json=request).json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "winnow-local-rater"
    assert body["choices"][0]["finish_reason"] == "stop"
    reply = body["choices"][0]["message"]["content"]
    assert list(orjson.loads(reply)) == ["reason", "label"]  # in the schema's order
    assert parse(reply).label == "High"
    texts = [m["content"] for m in request["messages"]]  # type: ignore[attr-defined]
    asked = sum(minilm.count_tokens(text) for text in texts)
    assert body["usage"]["prompt_tokens"] == asked
    assert body["usage"]["total_tokens"] == asked + minilm.count_tokens(reply)


def test_embeddings_come_as_numbers_or_base64_with_the_same_values(
    serve: Serve, minilm: MiniLM
) -> None:
    request = {"model": "winnow-local-encoder", "input": ["a ghost", "a ledger"]}
    with client(serve(minilm)) as http:
        plain = http.post("/v1/embeddings", json=request).json()
        coded = http.post("/v1/embeddings", json={**request, "encoding_format": "base64"}).json()
    rows = np.array([row["embedding"] for row in plain["data"]], dtype=np.float32)
    raw = [np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in coded["data"]]
    assert np.array_equal(rows, np.stack(raw))
    assert np.array_equal(rows, minilm.encode(["a ghost", "a ledger"]))
    assert [row["index"] for row in plain["data"]] == [0, 1]
    assert plain["usage"] == {"prompt_tokens": 4, "total_tokens": 4}


def test_one_input_need_not_be_a_list(serve: Serve, hashed: HashedTfIdf) -> None:
    with client(serve(hashed)) as http:
        request = {"model": "winnow-local-encoder", "input": "a ghost"}
        assert len(http.post("/v1/embeddings", json=request).json()["data"]) == 1


@pytest.mark.parametrize("key", ["", "wrong", KEY + "x", KEY[:-1], "ключ".encode().hex()])
def test_every_route_but_health_wants_the_key(serve: Serve, hashed: HashedTfIdf, key: str) -> None:
    with httpx.Client(base_url=serve(hashed)) as http:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        assert http.get("/health", headers=headers).json()["is_llm"] is False
        for method, path in (
            ("GET", "/v1/models"),
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/embeddings"),
        ):
            answer = http.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"


def test_an_empty_key_is_no_key(hashed: HashedTfIdf) -> None:
    with pytest.raises(InvalidError, match="needs an API key"):
        create_app("", hashed, Faults(FaultPlan()))


def test_both_models_are_listed(serve: Serve, hashed: HashedTfIdf) -> None:
    with client(serve(hashed)) as http:
        ids = [row["id"] for row in http.get("/v1/models").json()["data"]]
    assert ids == ["winnow-local-rater", "winnow-local-encoder"]


SECRET = "a sentence that no answer may repeat"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b'{"model": "\xff"}', 400),
        (
            "/v1/chat/completions",
            orjson.dumps({"model": "gpt", "messages": [{"role": "user"}]}),
            404,
        ),
        ("/v1/chat/completions", orjson.dumps(chat([], messages=[])), 400),
        ("/v1/chat/completions", orjson.dumps(chat([Block("user", SECRET)])), 400),
        ("/v1/chat/completions", orjson.dumps(chat(pairs()[0], stream=True)), 400),
        (
            "/v1/embeddings",
            orjson.dumps({"model": "winnow-local-encoder", "input": [1, SECRET]}),
            400,
        ),
        (
            "/v1/embeddings",
            orjson.dumps({"model": "winnow-local-encoder", "input": ["a"] * 2049}),
            400,
        ),
        ("/v1/embeddings", b'{"model": "winnow-local-encoder", "input": "\\ud800"}', 400),
        ("/v1/nothing", b"{}", 404),
        ("/v1/models", b"{}", 405),
    ],
)
def test_errors_have_openais_shape_and_repeat_no_text(
    serve: Serve, hashed: HashedTfIdf, path: str, body: bytes, status: int
) -> None:
    with client(serve(hashed)) as http:
        answer = http.post(path, content=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"label": {"enum": ["Yes", "No"]}}},
        {"properties": {"label": {}, "stars": {}}, "required": ["label", "stars"]},
        {"properties": {"reason": {}}},
        {"properties": []},
    ],
)
def test_a_schema_the_rater_cannot_fill_is_refused(
    serve: Serve, hashed: HashedTfIdf, schema: dict[str, object]
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with client(serve(hashed)) as http:
        answer = http.post("/v1/chat/completions", json=chat(pairs()[0], response_format=form))
    assert answer.status_code == 400


def test_answers_repeat_after_a_restart(serve: Serve, minilm: MiniLM) -> None:
    seen = []
    for order in (1, -1):  # another order makes other batches
        with client(serve(minilm)) as http, ThreadPoolExecutor(8) as pool:
            asked = [chat(pair) for pair in pairs()[::order]]
            replies = pool.map(lambda r: http.post("/v1/chat/completions", json=r), asked)
            seen.append([content(reply) for reply in replies][::order])
    assert seen[0] == seen[1]
    assert len({orjson.loads(reply)["label"] for reply in seen[0]}) > 1


class Counting:
    """Hashed TF-IDF that remembers what it was given."""

    name = "hashed-tfidf"

    def __init__(self, inner: HashedTfIdf) -> None:
        self._inner, self.given = inner, list[str]()

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.given.extend(texts)
        return self._inner.encode(texts)

    def count_tokens(self, text: str) -> int:
        return self._inner.count_tokens(text)


def test_a_text_is_encoded_once_however_many_ask(serve: Serve, hashed: HashedTfIdf) -> None:
    counting = Counting(hashed)
    with client(serve(counting)) as http, ThreadPoolExecutor(8) as pool:
        asked = [chat(pair) for pair in pairs()] * 2
        answers = list(pool.map(lambda r: http.post("/v1/chat/completions", json=r), asked))
    assert all(answer.status_code == 200 for answer in answers)
    assert sorted(counting.given) == sorted({b.text for pair in pairs() for b in pair})


class Failing(Counting):
    """An encoder that fails on its first batch."""

    def encode(self, texts: Sequence[str]) -> Matrix:
        if not self.given:
            self.given.append("failed")
            raise RuntimeError(SECRET)
        return super().encode(texts)


def test_a_failing_encoder_answers_503_and_the_next_request_works(
    serve: Serve, hashed: HashedTfIdf, caplog: pytest.LogCaptureFixture
) -> None:
    request = {"model": "winnow-local-encoder", "input": "a ghost"}
    with client(serve(Failing(hashed))) as http:
        failed = http.post("/v1/embeddings", json=request)
        assert failed.status_code == 503
        assert SECRET not in failed.text + caplog.text
        assert http.post("/v1/embeddings", json=request).status_code == 200


def referenced(pair: Sequence[Block], **more: object) -> dict[str, object]:
    """Return the pair as the second version of the user view asks it."""
    question = UserQuestion(user=pair[0].text, item=pair[1].text)
    messages = render(REFERENCED_USER_VIEW, question, max_chars=400)
    return {"model": "winnow-local-rater", "messages": messages, **more}


def reference_in(request: dict[str, object]) -> str | None:
    return read_reference(str(request["messages"]))


@pytest.mark.parametrize("asked", [{}, {"response_format": response_format(referenced=True)}])
def test_a_reference_is_repeated_and_changes_no_label(
    serve: Serve, hashed: HashedTfIdf, asked: dict[str, object]
) -> None:
    with client(serve(hashed)) as http:
        for pair in pairs()[:6]:
            request = referenced(pair, **asked)
            reply = content(http.post("/v1/chat/completions", json=request))
            plain = parse(content(http.post("/v1/chat/completions", json=chat(pair))))
            assert parse(reply, reference=reference_in(request)) == plain


def test_a_reference_is_not_invented_for_a_prompt_without_one(
    serve: Serve, hashed: HashedTfIdf
) -> None:
    request = chat(pairs()[0], response_format=response_format(referenced=True))
    with client(serve(hashed)) as http:
        answer = http.post("/v1/chat/completions", json=request)
    assert answer.status_code == 400
    assert "`ref` where the prompt carries one" in answer.text


def test_a_limit_may_be_told_as_a_date(serve: Serve, hashed: HashedTfIdf) -> None:
    with client(serve(hashed, "rate_limit_date=1")) as http:
        answer = http.post("/v1/chat/completions", json=chat(pairs()[0]))
    assert answer.status_code == 429
    until = parsedate_to_datetime(answer.headers["retry-after"])
    assert abs((until - datetime.now(UTC)).total_seconds()) < 60


def retry(http: httpx.Client, request: dict[str, object]) -> tuple[str, list[str]]:
    """Return the label at last, and what went wrong before."""
    wrong: list[str] = []
    while True:
        try:
            answer = http.post("/v1/chat/completions", json=request)
        except httpx.TransportError:
            wrong.append("drop")
            continue
        if answer.status_code != 200:
            if answer.status_code == 429:
                after = answer.headers["retry-after"]
                assert after == "1" or parsedate_to_datetime(after)
            wrong.append(str(answer.status_code))
            continue
        try:
            return parse(content(answer), reference=reference_in(request)).label, wrong
        except UnparsableReplyError:
            wrong.append(answer.json()["choices"][0]["finish_reason"])


def test_a_faulty_endpoint_gives_the_same_labels_after_at_most_two_retries(
    serve: Serve, hashed: HashedTfIdf
) -> None:
    faults = (
        "rate_limit=.1,rate_limit_date=.1,server_error=.1,drop=.15,malformed=.1,truncated=.1,"
        "bad_label=.05,other_pair=.1"
    )
    labels, troubles = [], []
    for plan in ("", faults):
        with client(serve(hashed, plan)) as http:
            found = [retry(http, referenced(pair)) for pair in pairs()]
        labels.append([label for label, _ in found])
        troubles.append([wrong for _, wrong in found])
    assert labels[0] == labels[1]
    assert not any(troubles[0])
    assert max(len(wrong) for wrong in troubles[1]) == 2
    assert {kind for wrong in troubles[1] for kind in wrong} == {
        "429", "503", "drop", "stop", "length",
    }  # fmt: skip


def test_hallucinated_labels_are_wrong_and_stay_so(serve: Serve, hashed: HashedTfIdf) -> None:
    with client(serve(hashed)) as right, client(serve(hashed, "hallucinate=1")) as wrong:
        for pair in pairs()[:6]:
            truth, lie, again = (
                parse(content(http.post("/v1/chat/completions", json=chat(pair)))).label
                for http in (right, wrong, wrong)
            )
            assert lie == again != truth
