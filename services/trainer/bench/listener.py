"""The local endpoint for as long as a bench runs, started when the first question is asked."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from services.recsys.candidates import Candidates
from services.trainer.bench import endpoint
from services.trainer.bench.answers import Asked, Profiles
from services.trainer.bench.arms import Views
from services.trainer.bench.peers import tell
from services.trainer.bench.rate import Progress


class Listener:
    """Asks about pairs; one child process keeps the texts' vectors from one question to the next.

    Raises UnavailableError when the endpoint does not come up.
    """

    def __init__(self, out: Path) -> None:
        self._out, self._stack = out, ExitStack()
        self._client: httpx.AsyncClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __call__(self, profiles: Profiles, pairs: Candidates) -> Views:
        """Return both views' labels of the pairs, from disk where they were asked before."""
        if self._client is None:
            self._client = self._stack.enter_context(endpoint.serving(self._out / "local_llm.log"))
        tell(f"rating {len(pairs)} pairs by the local endpoint")
        return asyncio.run(self._ask(self._client, profiles, pairs))

    async def _ask(self, served: httpx.AsyncClient, profiles: Profiles, pairs: Candidates) -> Views:
        # connections belong to one event loop: a client of its own for every question
        async with httpx.AsyncClient(
            base_url=served.base_url, headers=served.headers, timeout=served.timeout
        ) as client:
            asked = Asked(client, endpoint.about(client), self._out / "answers")
            return await asked.views(profiles, pairs, on_progress=Progress())
