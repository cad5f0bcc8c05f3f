"""A small stand-in of the API on a real socket, faithful to the contract's shapes."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
PART = {"recall@10": 0.10, "ndcg@10": 0.08, "recall@20": 0.20, "ndcg@20": 0.12}


def verdict(user: str, item: str, word: str, *, score: float, labels: str = "LL") -> Json:
    """Return one verdict row; labels: the user view's and the item view's first letters."""
    names = {"H": "High", "M": "Mid", "L": "Low"}
    user_view, item_view = (
        {"label": names[label], "reason": f"{view} reason for {item}"}
        for label, view in zip(labels, ("user", "item"), strict=True)
    )
    return {
        "run_id": "run-1",
        "user_id": user,
        "item_id": item,
        "edge": True,
        "verdict": word,
        "decided_by": "ratings",
        "action": "drop" if word == "noise" else "keep",
        "score": score,
        "ratings": {"user": user_view, "item": item_view},
    }


def card() -> Json:
    """Return a model card whose denoised test Recall@20 is a tenth better."""
    better = PART | {"recall@20": 0.22}
    return {
        "id": "model-1",
        "run_id": "run-1",
        "default_graph": "denoised",
        "params": {"max_drop_share": 0.1},
        "metrics": {"raw": {"val": PART, "test": PART}, "denoised": {"val": PART, "test": better}},
    }


def run_job(state: str, done: int) -> Json:
    """Return the run's job: `done` of its two stages have succeeded."""
    stages = [
        {
            "name": name,
            "state": "succeeded" if at < done else "running",
            "progress": {"total": 10, "completed": 5, "failed": 0, "cached": 0},
            "seconds": 1.5 if at < done else None,
            "peak_memory_bytes": 64 << 20,
        }
        for at, name in enumerate(("snapshot", "rate"))
    ]
    result = {"model_id": "model-1"} if state == "succeeded" else None
    return {"id": "run-1", "kind": "run", "state": state, "stages": stages, "result": result}


class FakeApi(ThreadingHTTPServer):
    """Holds what was uploaded and serves the verdicts that it is given."""

    daemon_threads = True

    def __init__(self, verdicts: list[Json]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.verdicts = verdicts
        self.uploads: dict[str, bytes] = {}
        self.run_spec: Json = {}
        self.polls = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def post(self, path: str, query: dict[str, list[str]], body: bytes) -> Json:
        if path == "/v1/projects":
            return {"id": "project-1"}
        if path == "/v1/keys":
            return {"id": "key-1", "key": "wn_fake_key"}
        if path == "/v1/datasets":
            return {"id": "dataset-1"}
        if path.endswith("/imports"):
            self.uploads[query["kind"][0]] = body
            return {"id": "import-1", "state": "queued"}
        self.run_spec = json.loads(body)
        return run_job("queued", 0)

    def get(self, path: str, query: dict[str, list[str]]) -> Json:
        if path == "/v1/jobs/import-1":
            result = {"accepted": 3, "duplicates": 0, "rejected": 0}
            return {"id": "import-1", "kind": "import", "state": "succeeded", "result": result}
        if path == "/v1/jobs/run-1":
            self.polls += 1
            return run_job(*(("running", 1) if self.polls == 1 else ("succeeded", 2)))
        if path == "/v1/models/model-1":
            return card()
        if path.endswith("/verdicts"):
            return {"verdicts": self.verdicts, "next_page_token": None}
        if path.endswith("/noise-report"):
            return REPORT
        items = ["i1", "i2"] if query["graph"] == ["raw"] else ["i2", "i3"]
        return {"items": [{"item_id": item} for item in items]}


REPORT: Json = {
    "totals": {
        "edges": 3,
        "candidates": 4,
        "rated": 4,
        "flagged": 1,
        "dropped": 1,
        "added": 0,
        "by_verdict": {"hard": 1, "noise": 1, "clean": 1, "unsure": 1},
    },
    "agreement": {"views": 0.75},
}


class _Handler(BaseHTTPRequestHandler):
    server: FakeApi

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._answer(200, self.server.get(parts.path, parse_qs(parts.query)))

    def do_POST(self) -> None:
        parts, body = urlsplit(self.path), self._body()
        self._answer(202, self.server.post(parts.path, parse_qs(parts.query), body))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(verdicts: list[Json]) -> Iterator[FakeApi]:
    """Serve on a free loopback port."""
    server = FakeApi(verdicts)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
