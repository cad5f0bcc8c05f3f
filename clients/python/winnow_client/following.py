"""A job's events as they happen: server-sent events, resumed by their ids when cut off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from winnow_client.errors import ApiError, ConnectionFailedError, Json
from winnow_client.retry import REFUSED_FOR_NOW
from winnow_client.transport import Transport

Progress = Callable[[Json], None]


@dataclass
class Message:
    """One message of a stream."""

    kind: str = ""
    ident: str = ""
    data: str = ""

    def json(self) -> Json:
        """Return what it says."""
        said: Json = json.loads(self.data)
        return said


def messages(lines: Iterator[str]) -> Iterator[Message]:
    """Yield the messages of a stream; a comment, a heartbeat, as an empty one."""
    current = Message()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if current.data:
                yield current
            current = Message()
        elif not name:
            yield Message()
        elif name == "event":
            current.kind = value
        elif name == "id":
            current.ident = value
        elif name == "data":
            current.data += value


def follow(
    transport: Transport,
    path: str,
    *,
    after: int,
    on_progress: Progress | None,
    sleep: Callable[[float], None],
) -> Iterator[Json]:
    """Yield each event once, in order, until the job has ended; see `Client.events`."""
    last, failures = str(after), 0
    while True:
        trouble: ApiError | ConnectionFailedError
        try:
            with transport.streaming(path, headers={"Last-Event-ID": last}) as lines:
                for one in _told(lines, on_progress):
                    failures = 0  # it lives: a proxy that cuts long streams is no server away
                    last = one.ident or last
                    if one.kind == "end":
                        return
                    if one.ident:
                        yield one.json()
            trouble = ConnectionFailedError("The stream of events was cut off.")
        except ConnectionFailedError as error:
            trouble = error
        except ApiError as error:
            if error.status not in REFUSED_FOR_NOW:
                raise
            trouble = error
        failures += 1
        if failures >= transport.retry.attempts:
            raise trouble
        asked = trouble.retry_after if isinstance(trouble, ApiError) else None
        sleep(transport.retry.pause(failures - 1, asked))


def _told(lines: Iterator[str], on_progress: Progress | None) -> Iterator[Message]:
    """Yield the messages, events with an id; ApiError when the server ends the stream for good."""
    for one in messages(lines):
        if one.kind == "closed":
            raise _closed(one.json())
        if one.kind == "progress" and on_progress:
            on_progress(one.json())
        yield one


def _closed(said: Json) -> ApiError:
    return ApiError(code=str(said["code"]), status=401, detail=str(said["detail"]))
