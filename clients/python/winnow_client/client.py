"""The client: one method a noun and verb of the API; answers are the API's JSON as dicts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from winnow_client.errors import JobFailedError, Json
from winnow_client.following import follow
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
        mapping: str | Mapping[str, str] | None = None,
        validate_only: bool = False,
        idempotency_key: str | None = None,
    ) -> Json:
        """Stream a file as an import and return its job; kind: interactions, users or items.

        `source` is a path, a binary file or an iterable of bytes; only a path is retried. A path
        that ends in .csv, .tsv, .ndjson, .jsonl, .json, .parquet, or as RecBole's and MovieLens'
        files do, .gz or .zst after it or not, needs no `content_type`; for any other source
        ValueError without one. `mapping` names the system whose file it is (movielens, gorse,
        recbole, amazon_reviews), or maps our columns to the file's headers. With `validate_only`
        the job reports all that an import would, and brings nothing in.
        """
        body, replayable = body_of(source)
        headers = _creating(idempotency_key)
        headers |= media_of(source, content_type=content_type, content_encoding=content_encoding)
        answer: Json = self._transport.call(
            "POST",
            f"{_dataset(dataset_id)}/imports",
            params={
                "kind": kind,
                **_mapped(mapping),
                "validate_only": "true" if validate_only else None,
            },
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

    def events(
        self,
        job_id: str,
        *,
        after: int = 0,
        on_progress: Callable[[Json], None] | None = None,
    ) -> Iterator[Json]:
        """Iterate over a job's events, those with an id over `after`, until the job has ended.

        They come as they happen: dicts with `id`, `at`, `kind`, `stage`, `data`. A stream that is
        cut off, or refused for now, is resumed after the last one; no event is missed or repeated.
        In between, `on_progress` is told the state, the counts and the seconds that are left.
        """
        path = f"/v1/jobs/{segment(job_id)}/events"
        return follow(
            self._transport, path, after=after, on_progress=on_progress, sleep=self._sleep
        )

    def pause(self, job_id: str) -> Json:
        """Let a job wait until it is resumed; what it has under way is kept."""
        return self._steer(job_id, "pause")

    def resume(self, job_id: str) -> Json:
        """Let a paused job go on; one that waits for an endpoint or a disk is tried at once."""
        return self._steer(job_id, "resume")

    def retry(self, job_id: str) -> Json:
        """Try a failed or cancelled job again; what had succeeded or was paid for is kept."""
        return self._create(f"/v1/jobs/{segment(job_id)}:retry", None)

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Json], None] | None = None,
        *,
        poll: float = 1.0,
    ) -> Json:
        """Return the job once it has succeeded, telling each state seen; else JobFailedError.

        A paused job is waited for; `on_progress` sees its `pause` and may raise.
        """
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

    def recommendations(  # noqa: PLR0913 - the query's parameters, all by keyword
        self,
        dataset_id: str,
        user_id: str,
        *,
        k: int = 20,
        graph: str | None = None,
        explain: bool = False,
        model: str | None = None,
        filter: str | None = None,  # noqa: A002 - the API's name
        exclude_seen: bool = True,
        fresh: bool = False,
        include_new_items: bool = False,
    ) -> Json:
        """Return a user's top-K; graph: raw or denoised, the one that is served where None.

        `filter` compares items' attributes: `category="sf" AND price<20`. `fresh` folds in what a
        known user did since the training.
        """
        params = {
            "k": k,
            "graph": graph,
            "explain": "true" if explain else None,
            "model": model,
            "filter": filter,
            "exclude_seen": None if exclude_seen else "false",
            "fresh": "true" if fresh else None,
            "include_new_items": "true" if include_new_items else None,
        }
        return self._get(f"{_dataset(dataset_id)}/recommendations/{segment(user_id)}", params)

    def recommend_batch(self, dataset_id: str, user_ids: list[str], **wishes: object) -> list[Json]:
        """Return the lists of up to 1,000 users, in their order.

        Wishes: k, filter, exclude_seen, explain, fresh, include_new_items, model, graph.
        """
        path = f"{_dataset(dataset_id)}/recommendations:batch"
        body = {"user_ids": user_ids, **wishes}
        answer: Json = self._transport.call("POST", path, json=body, reads=True)
        rows: list[Json] = answer["recommendations"]
        return rows

    def recommend_session(
        self,
        dataset_id: str,
        *,
        items: list[str] | None = None,
        text: str | None = None,
        **wishes: object,
    ) -> Json:
        """Return a top-K by items, a text or both, of which nothing is kept.

        Wishes: k, filter, exclude_seen, explain, include_new_items, model, graph. Items of which
        nothing is known come back in `unknown_items`.
        """
        body = {"items": items or [], "text": text, **wishes}
        path = f"{_dataset(dataset_id)}/recommendations:session"
        answer: Json = self._transport.call("POST", path, json=body, reads=True)
        return answer

    def similar(
        self,
        dataset_id: str,
        item_id: str,
        *,
        by: str = "collaborative",
        k: int | None = None,
        filter: str | None = None,  # noqa: A002 - the API's name
        model: str | None = None,
        graph: str | None = None,
    ) -> list[Json]:
        """Return the items most like one; by: collaborative (who takes them) or semantic."""
        path = f"{_dataset(dataset_id)}/items/{segment(item_id)}/similar"
        wishes = {"by": by, "k": k, "filter": filter, "model": model, "graph": graph}
        answer = self._get(path, wishes)
        rows: list[Json] = answer["items"]
        return rows

    def verdicts(
        self, dataset_id: str, *, page_size: int = 1000, **filters: str | None
    ) -> Iterator[Json]:
        """Iterate over all verdicts; filters: run, verdict, user_id, item_id, action, source.

        With source="person" also over words that no run has obeyed yet.
        """
        path = f"{_dataset(dataset_id)}/verdicts"
        return self._pages(path, "verdicts", {"page_size": page_size} | filters)

    def verdict(self, dataset_id: str, user_id: str, item_id: str) -> Json:
        """Return what the newest run made of a pair, what a person says, and what was said."""
        return self._get(_pair(dataset_id, user_id, item_id))

    def set_verdict(
        self,
        dataset_id: str,
        user_id: str,
        item_id: str,
        verdict: str,
        *,
        note: str | None = None,
        author: str | None = None,
    ) -> Json:
        """Overrule: hard, noise, clean or unsure, on any pair; the next run obeys."""
        body = _given(verdict=verdict, note=note, author=author)
        answer: Json = self._transport.call("PUT", _pair(dataset_id, user_id, item_id), json=body)
        return answer

    def set_verdicts(
        self, dataset_id: str, verdicts: list[Json], *, idempotency_key: str | None = None
    ) -> Json:
        """Overrule up to 1,000 pairs: dicts with user_id, item_id, verdict, note, author.

        The verdict None takes a word back. The answer counts changed and rejected.
        """
        path = f"{_dataset(dataset_id)}/verdicts:batch"
        return self._create(path, {"verdicts": verdicts}, idempotency_key)

    def withdraw_verdict(
        self,
        dataset_id: str,
        user_id: str,
        item_id: str,
        *,
        note: str | None = None,
        author: str | None = None,
    ) -> None:
        """Take a person's word back; its history stays."""
        params: Json = {"note": note, "author": author}
        self._transport.call("DELETE", _pair(dataset_id, user_id, item_id), params=params)

    def noise_report(self, dataset_id: str, *, run: str | None = None) -> Json:
        """Return the noise report of a run, the latest where None."""
        return self._get(f"{_dataset(dataset_id)}/noise-report", {"run": run})

    def models(self, **filters: str | None) -> Iterator[Json]:
        """Iterate over the project's models."""
        return self._pages("/v1/models", "models", dict(filters))

    def model(self, model_id: str) -> Json:
        """Return a model's card."""
        return self._get(f"/v1/models/{segment(model_id)}")

    def promote(
        self, model_id: str, *, graph: str | None = None, author: str | None = None
    ) -> Json:
        """Serve this model's lists from now on; graph: raw or denoised, its default where None."""
        path = f"/v1/models/{segment(model_id)}:promote"
        body = _given(graph=graph, author=author)
        answer: Json = self._transport.call("POST", path, json=body or None)
        return answer

    def _steer(self, job_id: str, verb: str) -> Json:
        answer: Json = self._transport.call("POST", f"/v1/jobs/{segment(job_id)}:{verb}")
        return answer

    def rollback(self, dataset_id: str, *, idempotency_key: str | None = None) -> Json:
        """Serve what was served before the last promotion; return that model's card."""
        return self._create(f"{_dataset(dataset_id)}:rollback", {}, idempotency_key)

    def undo_refinement(
        self, model_id: str, *, note: str | None = None, author: str | None = None
    ) -> Json:
        """Take back what the model's run did to the graph: at once, and for later runs."""
        path = f"/v1/models/{segment(model_id)}:undo-refinement"
        return self._create(path, _given(note=note, author=author))

    def redo_refinement(
        self, model_id: str, *, note: str | None = None, author: str | None = None
    ) -> Json:
        """Take an undo back."""
        path = f"/v1/models/{segment(model_id)}:redo-refinement"
        return self._create(path, _given(note=note, author=author))

    def audit(self, **filters: str | None) -> Iterator[Json]:
        """Iterate over who did what, newest first; needs an admin's or the operator's key.

        filters: action, key, author, dataset, since, until; project_id for the operator.
        """
        return self._pages("/v1/audit", "entries", dict(filters))

    def _get(self, path: str, params: Json | None = None) -> Json:
        answer: Json = self._transport.call("GET", path, params=params)
        return answer

    def _put(self, path: str, body: Json) -> Json | None:
        answer: Json | None = self._transport.call("PUT", path, json=body)
        return answer

    def _create(self, path: str, body: Json | None, idempotency_key: str | None = None) -> Json:
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


def _mapped(mapping: str | Mapping[str, str] | None) -> Json:
    """Return the query that says which header is which column."""
    if isinstance(mapping, Mapping):
        return {f"map.{column}": header for column, header in mapping.items()}
    return {"mapping": mapping}


def _pair(dataset_id: str, user_id: str, item_id: str) -> str:
    return f"{_dataset(dataset_id)}/verdicts/{segment(user_id)}/{segment(item_id)}"


def _given(**fields: str | None) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _creating(idempotency_key: str | None) -> dict[str, str]:
    """Return the header that makes a repeated POST create only once."""
    return {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
