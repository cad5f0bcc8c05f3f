"""Vectors of texts: encoded once, kept by content hash, gathered into batches for one thread."""

import asyncio
import hashlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from services.local_llm.encoder import Encoder
from services.local_llm.scores import Matrix, Vector
from services.shared.errors import UnavailableError

KEPT = 65_536  # vectors; 384 float32 each make 100 MB
BATCH = 64  # texts per turn of the encoder's thread

Key = bytes


class Vectors:
    """A cache before the encoder; for use by one event loop."""

    def __init__(self, encoder: Encoder, *, kept: int = KEPT) -> None:
        self._encoder, self._kept = encoder, kept
        self._cache: OrderedDict[Key, Vector] = OrderedDict()
        self._waiting: dict[Key, asyncio.Future[Vector]] = {}
        self._queue: deque[tuple[Key, str]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder")
        self._drain: asyncio.Task[None] | None = None

    async def of(self, texts: Sequence[str]) -> Matrix:
        """Return one row per text; a text that another request waits for is encoded once.

        Raises UnavailableError when the encoder fails; the next request tries again.
        """
        found = [self._cached(text) for text in texts]
        if all(row is not None for row in found):
            return np.stack([row for row in found if row is not None])
        futures = [self._soon(text) for text in texts]
        # a request that goes away must not cancel a vector that others wait for
        return np.stack(await asyncio.gather(*(asyncio.shield(future) for future in futures)))

    async def close(self) -> None:
        """Let the thread end after its batch; what still waits is given up."""
        if self._drain is not None:
            self._drain.cancel()
        for future in self._waiting.values():
            future.cancel()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _cached(self, text: str) -> Vector | None:
        key = _key(text)
        row = self._cache.get(key)
        if row is not None:
            self._cache.move_to_end(key)
        return row

    def _soon(self, text: str) -> "asyncio.Future[Vector]":
        key, loop = _key(text), asyncio.get_running_loop()
        future = self._waiting.get(key)
        if future is None:
            future = loop.create_future()
            row = self._cache.get(key)
            if row is not None:
                future.set_result(row)
                return future
            self._waiting[key] = future
            self._queue.append((key, text))
        if self._drain is None or self._drain.done():
            self._drain = loop.create_task(self._encode_all())
        return future

    async def _encode_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            texts = [text for _, text in batch]
            try:
                rows = await loop.run_in_executor(self._thread, self._encoder.encode, texts)
            except Exception as error:  # noqa: BLE001 - told to every request that waits
                self._fail([key for key, _ in batch], type(error).__name__)
                continue
            for (key, _), row in zip(batch, rows, strict=True):
                self._keep(key, row)

    def _keep(self, key: Key, row: Vector) -> None:
        self._cache[key] = row.copy()  # a row of its own, not a view that holds the whole batch
        if len(self._cache) > self._kept:
            self._cache.popitem(last=False)
        future = self._waiting.pop(key)
        if not future.done():
            future.set_result(self._cache.get(key, row))

    def _fail(self, keys: list[Key], name: str) -> None:
        # only the error's name: its message may quote a text
        error = UnavailableError("encoder", detail=f"The encoder failed: {name}.")
        for key in keys:
            future = self._waiting.pop(key)
            if not future.done():
                future.set_exception(error)


def _key(text: str) -> Key:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
