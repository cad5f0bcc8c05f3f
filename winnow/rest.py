"""The few calls that the command line makes to the api: projects and keys."""

from collections.abc import Mapping
from typing import Any

import httpx

from winnow.errors import ApiRefusedError, NotRunningError


class Rest:
    """The api as its operator sees it; every refusal becomes an ApiRefusedError."""

    def __init__(self, api_url: str, *, operator_key: str) -> None:
        self._url = api_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {operator_key}"}

    def create_project(self, name: str) -> dict[str, Any]:
        """Create a project: `{id, name, created_at}`."""
        return self._send("POST", "/v1/projects", json={"name": name})

    def create_key(self, *, project_id: str, name: str, role: str) -> dict[str, Any]:
        """Create a key; its `key` is shown this once."""
        body = {"project_id": project_id, "name": name, "role": role}
        return self._send("POST", "/v1/keys", json=body)

    def revoke_key(self, named: str, *, project_id: str | None = None) -> None:
        """Revoke a key, named by its prefix, by itself, or by its id and its project's."""
        name = named.removeprefix("wn_").split("_")[0]
        self._send("DELETE", f"/v1/keys/{name}", params={"project_id": project_id})

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str | None] | None = None,
    ) -> dict[str, Any]:
        try:
            answer = httpx.request(
                method,
                self._url + path,
                json=json,
                params={name: value for name, value in (params or {}).items() if value},
                headers=self._headers,
                timeout=30.0,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            raise NotRunningError(f"The api at {self._url} does not answer: {error}.") from error
        if answer.is_error:
            raise ApiRefusedError(_refusal(answer))
        return dict(answer.json()) if answer.content else {}


def _refusal(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    words = problem.get("detail") or problem.get("title") or "no reason given"
    return f"The api refused with {answer.status_code} {problem.get('code', '')}: {words}"
