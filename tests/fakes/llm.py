"""An OpenAI-style endpoint on a real socket that answers as a test's script says.

    with FakeLlm.serving() as llm:
        llm.script = lambda call: refused(429, retry_after="1") if call.attempt == 1 else None

A script returns what goes over the wire, or None for the honest answer: a label that follows from
the prompt's hash, a vector that follows from the text's.
"""

import asyncio
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from services.shared.llm.reference import read_reference

WIDTH = 8
LABELS = ("High", "Mid", "Low")


@dataclass(frozen=True)
class Call:
    """What came in; `attempt` counts the same question or texts from 1."""

    path: str
    body: dict[str, Any]
    attempt: int
    authorization: str | None

    @property
    def prompt(self) -> str:
        """The question of a chat, or the texts of an embedding, as one string."""
        if "messages" in self.body:
            return str(self.body["messages"][-1]["content"])
        return "\n".join(self.body["input"])

    @property
    def format(self) -> str | None:
        """The response format that was asked for."""
        asked = self.body.get("response_format")
        return None if asked is None else str(asked["type"])


@dataclass(frozen=True)
class Wire:
    """An answer as it is sent, after `delay` seconds more.

    `cut` ends the connection instead, `cut_within` when half of the body is out.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    cut_within: bool = False
    delay: float = 0.0


Script = Callable[[Call], Wire | None]


def refused(status: int, *, retry_after: str | None = None) -> Wire:
    """Return an error in OpenAI's shape."""
    body = json.dumps({"error": {"message": "scripted", "type": "error"}}).encode()
    return Wire(status, body, {} if retry_after is None else {"Retry-After": retry_after})


def said(content: str | None) -> Wire:
    """Return a completion with this content."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    body = {"choices": [{"index": 0, "message": message}], "usage": usage}
    return Wire(200, json.dumps(body).encode())


def label_of(prompt: str) -> str:
    """Return the honest label of a prompt."""
    return LABELS[hashlib.sha256(prompt.encode()).digest()[0] % 3]


def vector_of(text: str) -> list[float]:
    """Return the honest vector of a text; float16 holds each of its numbers exactly."""
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:WIDTH]]


def honest(call: Call) -> Wire:
    """Return the answer of an endpoint without faults."""
    if call.path.endswith("/chat/completions"):
        reference = read_reference(call.prompt)
        carried = {} if reference is None else {"ref": reference}
        answer = {"reason": "Scripted.", "label": label_of(call.prompt), **carried}
        return said(json.dumps(answer))
    texts = call.body["input"]
    data = [{"index": at, "embedding": vector_of(text)} for at, text in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return Wire(200, json.dumps({"data": data, "usage": usage}).encode())


class FakeLlm:
    """The endpoint; `calls` is all that came in, in its order."""

    def __init__(self, port: int = 0) -> None:
        self.calls: list[Call] = []
        self.script: Script = lambda _: None
        self.latency = 0.0
        self.most_at_once = 0
        self.port = port
        self._at_once = 0
        self._attempts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def address(self) -> str:
        """What WINNOW_OUTGOING_ALLOW lists."""
        return f"127.0.0.1:{self.port}"

    def chats(self) -> list[Call]:
        """Return the chat calls so far."""
        return [call for call in self.calls if "messages" in call.body]

    @classmethod
    @contextmanager
    def serving(cls, port: int = 0) -> Iterator["FakeLlm"]:
        """Serve on loopback, in a thread, until the block ends."""
        fake, ready = cls(port), threading.Event()
        thread = threading.Thread(target=fake._serve, args=(ready,), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield fake
        finally:
            fake._loop.call_soon_threadsafe(fake._loop.stop)
            thread.join()

    def _serve(self, ready: threading.Event) -> None:
        runner = self._loop.run_until_complete(self._start())
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _start(self) -> web.AppRunner:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = self._note(request, json.loads(await request.read()))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self._at_once -= 1
        wire = self.script(call) or honest(call)
        await asyncio.sleep(wire.delay)
        if wire.cut_within:
            return await _half(request, wire)
        if wire.cut:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=wire.status, body=wire.body, headers=wire.headers)

    def _note(self, request: web.Request, body: dict[str, Any]) -> Call:
        question = json.dumps(body.get("messages") or body.get("input"))
        self._attempts[question] += 1
        key = request.headers.get("Authorization")
        call = Call(request.path, body, self._attempts[question], key)
        self.calls.append(call)
        return call


async def _half(request: web.Request, wire: Wire) -> web.StreamResponse:
    """Promise the whole body, send half of it, and hang up."""
    response = web.StreamResponse(status=wire.status, headers=wire.headers)
    response.content_length = len(wire.body)
    await response.prepare(request)
    await response.write(wire.body[: len(wire.body) // 2])
    assert request.transport is not None
    request.transport.close()
    return response
