"""A gate before the local endpoint: it counts every chat, can be shut after so many, or be away."""

import http.client
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from winnow.embedded.ports import LOOPBACK

PASSED_ON = ("Authorization", "Content-Type")
AWAY = b'{"error": {"message": "away", "type": "server_error"}}'


class Gate(ThreadingHTTPServer):
    """Passes calls on to `port` of the loopback address.

    A call counts when it has arrived, and is paid for when the endpoint has answered it, whatever
    becomes of the caller. While the gate is away, it answers 503 at once and nothing counts.
    """

    def __init__(self, port: int) -> None:
        super().__init__((LOOPBACK, 0), _Visitor)
        self.target = port
        self.calls = 0
        self.paid = 0
        self.away = False
        self._state = threading.Condition()
        self._waiting = 0
        self._left: int | None = None  # calls that still pass; None while the gate is open
        self._thread = threading.Thread(target=self.serve_forever, name="gate", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Return host:port, as the services have to be allowed to call it."""
        return f"{LOOPBACK}:{self.server_port}"

    def shut_after(self, calls: int) -> None:
        """Let so many calls pass and hold every later one."""
        with self._state:
            self._left = calls
            self._state.notify_all()

    def open(self) -> None:
        """Let all pass, and those that were held."""
        with self._state:
            self._left = None
            self._state.notify_all()

    def holds(self, calls: int, *, seconds: float) -> bool:
        """Wait until so many calls are held; tell whether it came to that in time."""
        with self._state:
            return self._state.wait_for(lambda: self._waiting >= calls, timeout=seconds)

    def enter(self) -> None:
        """Count a call and hold it while the gate is shut."""
        with self._state:
            self.calls += 1
            self._waiting += 1
            self._state.notify_all()
            self._state.wait_for(lambda: self._left is None or self._left > 0)
            self._waiting -= 1
            if self._left is not None:
                self._left -= 1

    def charge(self) -> None:
        """Count an answer of the endpoint."""
        with self._state:
            self.paid += 1

    def close(self) -> None:
        """Stop, with nobody left behind the gate."""
        self.open()
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Visitor(BaseHTTPRequestHandler):
    """One connection of a caller; each call goes on by a connection of its own."""

    protocol_version = "HTTP/1.1"
    log_message: Callable[..., None] = lambda *_: None  # quiet

    def do_POST(self) -> None:
        gate = cast("Gate", self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if gate.away:
            self._hand_back(HTTPStatus.SERVICE_UNAVAILABLE, "application/json", AWAY)
            return
        gate.enter()
        onward = http.client.HTTPConnection(LOOPBACK, gate.target)
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        try:
            onward.request("POST", self.path, body, headers)
            answer = onward.getresponse()
            said = answer.read()
            if answer.status == HTTPStatus.OK:
                gate.charge()
            self._hand_back(answer.status, answer.headers["Content-Type"], said)
        except (OSError, http.client.HTTPException):  # a killed caller, or a killed endpoint
            self.close_connection = True
        finally:
            onward.close()

    def finish(self) -> None:
        with suppress(ConnectionError):
            super().finish()

    def _hand_back(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
