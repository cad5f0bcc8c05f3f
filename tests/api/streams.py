"""A reader of server-sent events on a real socket, written by the format's own page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson


@dataclass
class Message:
    """One message as a browser would see it."""

    kind: str = "message"
    id: str | None = None
    data: list[str] = field(default_factory=list)

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads("\n".join(self.data))


@contextmanager
def following(
    client: httpx.Client, job: object, last: str | None = None, **params: str
) -> Iterator[Iterator[Message]]:
    """Open the stream of a job's events within a with block."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    path = f"/v1/jobs/{job}/events"
    with client.stream("GET", path, headers=headers, params=params) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield messages(answer.iter_lines())


def messages(lines: Iterator[str]) -> Iterator[Message]:
    """Yield the messages of a stream's lines; a comment is a message of the kind "comment"."""
    current = Message()
    for line in lines:
        name, _, value = line.partition(":")
        if not line:
            if current.data:
                yield current
            current = Message()
        elif not name:
            yield Message("comment", data=[value])
        elif name == "event":
            current.kind = value.strip()
        elif name == "id":
            current.id = value.strip()
        elif name == "data":
            current.data.append(value.strip())


def until_end(found: Iterator[Message]) -> list[Message]:
    """Return the messages up to the last, without progress and comments."""
    kept = []
    for one in found:
        if one.kind not in {"progress", "comment"}:
            kept.append(one)
        if one.kind == "end":
            break
    return kept
