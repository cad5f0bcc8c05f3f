"""The client: one method a noun and verb of the API; answers are the API's JSON as dicts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from winnow_client.errors import JobFailedError, Json
from winnow_client.retry import Retry
from winnow_client.transport import Transport, segment
from winnow_client.uploads import Source, body_of, media_of

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


class Client:
    """Calls the API at `base_url` with `key`; close it, or use it as a context manager.

    Every method raises ApiError for a refusal and ConnectionFailedError where no answer came.
    Calls that may safely be repeated wait and retry on 429, 503 and while a first try still runs.
    ValueError for a key that no header can carry.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        retry: Retry | None = None,
        timeout: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(base_url, key, retry=retry, timeout=timeout, sleep=sleep)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # projects and keys (an operator's or admin's key)

    def create_project(self, name: str) -> Json:
        """Create a project."""
        return self._create("/v1/projects", {"name": name})

    def create_key(self, *, name: str, role: str, project_id: str | None = None) -> Json:
        """Create a key (role admin, write or read); its secret `key` is shown only here.

        Sent once: a replayed answer would come without the secret.
        """
        body = {"name": name, "role": role} | ({"project_id": project_id} if project_id else {})
        answer: Json = self._transport.call("POST", "/v1/keys", json=body)
        return answer

    # datasets and what is in them

    def create_dataset(self, name: str, settings: Json | None = None) -> Json:
        """Create an empty dataset."""
        return self._create("/v1/datasets", {"name": name, "settings": settings or {}})

    def dataset(self, dataset_id: str) -> Json:
        """Return a dataset with its version and current model."""
        return self._get(_dataset(dataset_id))

    def delete_dataset(self, dataset_id: str) -> Json | None:
        """Delete a dataset and all that hangs on it."""
        answer: Json | None = self._transport.call("DELETE", _dataset(dataset_id))
        return answer

    def put_users(self, dataset_id: str, users: list[Json]) -> Json | None:
        """Insert or replace up to 1,000 users: dicts with `id`, `text` and attributes."""
        return self._put(f"{_dataset(dataset_id)}/users", {"users": users})

    def put_items(self, dataset_id: str, items: list[Json]) -> Json | None:
        """Insert or replace up to 1,000 items: dicts with `id`, `text` and attributes."""
        return self._put(f"{_dataset(dataset_id)}/items", {"items": items})

    def post_interactions(self, dataset_id: str, interactions: list[Json]) -> Json:
        """Add up to 1,000 interactions; the answer counts accepted, duplicates, rejected."""
        path = f"{_dataset(dataset_id)}/interactions"
        return self._create(path, {"interactions": interactions})

    def preflight(self, dataset_id: str) -> Json:
        """Return what a dataset holds and what a run would make of it, with `warnings`.

        Nothing is started. A large log takes a while: give the client a `timeout` to match.
        """
        return self._get(f"{_dataset(dataset_id)}/preflight")

    def upload(
        self,
        dataset_id: str,
        kind: str,
        source: Source,
        *,
        content_type: str | None = None,
        content_encoding: str | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Stream a file as an import and return its job; kind: interactions, users or items.

        `source` is a path, a binary file or an iterable of bytes; only a path is retried. A path
        that ends in .csv, .ndjson or .jsonl, .gz after it or not, needs no `content_type`; for any
        other source ValueError without one.
        """
        body, replayable = body_of(source)
        headers = _creating(idempotency_key)
        headers |= media_of(source, content_type=content_type, content_encoding=content_encoding)
        answer: Json = self._transport.call(
            "POST",
            f"{_dataset(dataset_id)}/imports",
            params={"kind": kind},
            headers=headers,
            body=body,
            replayable=replayable,
        )
        return answer

    # runs and jobs

    def start_run(
        self, dataset_id: str, *, idempotency_key: str | None = None, **spec: object
    ) -> Json:
        """Start a run and return its job; spec: method, backbone, params, seed, budget_pairs."""
        path = f"{_dataset(dataset_id)}/runs"
        body = {name: value for name, value in spec.items() if value is not None}
        return self._create(path, body, idempotency_key)

    def estimate_run(self, dataset_id: str, **spec: object) -> Json:
        """Return what such a run would ask, spend and take; nothing is started or written."""
        path = f"{_dataset(dataset_id)}/runs"
        body = {name: value for name, value in spec.items() if value is not None}
        answer: Json = self._transport.call("POST", path, json={**body, "validate_only": True})
        return answer

    def job(self, job_id: str) -> Json:
        """Return a job's state, stages and progress."""
        return self._get(f"/v1/jobs/{segment(job_id)}")

    def cancel(self, job_id: str) -> Json | None:
        """Ask a job to stop."""
        answer: Json | None = self._transport.call("POST", f"/v1/jobs/{segment(job_id)}:cancel")
        return answer

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Json], None] | None = None,
        *,
        poll: float = 1.0,
    ) -> Json:
        """Return the job once it has succeeded, telling each state seen; else JobFailedError."""
        while True:
            job = self.job(job_id)
            if on_progress:
                on_progress(job)
            if job["state"] in FINAL_STATES:
                break
            self._sleep(poll)
        if job["state"] != "succeeded":
            raise JobFailedError(job)
        return job

    # what comes out

    def recommendations(
        self,
        dataset_id: str,
        user_id: str,
        *,
        k: int = 20,
        graph: str | None = None,
        explain: bool = False,
        model: str | None = None,
    ) -> Json:
        """Return a user's top-K; graph: raw or denoised, the model's default where None."""
        params = {"k": k, "graph": graph, "explain": "true" if explain else None, "model": model}
        return self._get(f"{_dataset(dataset_id)}/recommendations/{segment(user_id)}", params)

    def verdicts(
        self, dataset_id: str, *, page_size: int = 1000, **filters: str | None
    ) -> Iterator[Json]:
        """Iterate over all verdicts; filters: run, verdict, user_id, item_id."""
        path = f"{_dataset(dataset_id)}/verdicts"
        return self._pages(path, "verdicts", {"page_size": page_size} | filters)

    def noise_report(self, dataset_id: str, *, run: str | None = None) -> Json:
        """Return the noise report of a run, the latest where None."""
        return self._get(f"{_dataset(dataset_id)}/noise-report", {"run": run})

    def models(self, **filters: str | None) -> Iterator[Json]:
        """Iterate over the project's models."""
        return self._pages("/v1/models", "models", dict(filters))

    def model(self, model_id: str) -> Json:
        """Return a model's card."""
        return self._get(f"/v1/models/{segment(model_id)}")

    def promote(self, model_id: str) -> Json:
        """Serve this model's lists from now on, instead of the current model's."""
        answer: Json = self._transport.call("POST", f"/v1/models/{segment(model_id)}:promote")
        return answer

    def _get(self, path: str, params: Json | None = None) -> Json:
        answer: Json = self._transport.call("GET", path, params=params)
        return answer

    def _put(self, path: str, body: Json) -> Json | None:
        answer: Json | None = self._transport.call("PUT", path, json=body)
        return answer

    def _create(self, path: str, body: Json, idempotency_key: str | None = None) -> Json:
        headers = _creating(idempotency_key)
        answer: Json = self._transport.call("POST", path, json=body, headers=headers)
        return answer

    def _pages(self, path: str, noun: str, params: Json) -> Iterator[Json]:
        token: str | None = None
        while True:
            page = self._get(path, params | {"page_token": token})
            yield from page[noun]
            token = page.get("next_page_token")
            if not token:
                return


def _dataset(dataset_id: str) -> str:
    return f"/v1/datasets/{segment(dataset_id)}"


def _creating(idempotency_key: str | None) -> dict[str, str]:
    """Return the header that makes a repeated POST create only once."""
    return {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
