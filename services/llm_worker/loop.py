"""This process' one event loop, in a thread of its own, kept until the process ends."""

import asyncio
import threading
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


_MAKING = threading.Lock()  # lru_cache alone lets two threads make one each


def loop() -> asyncio.AbstractEventLoop:
    """Return the loop, running: sessions and their connections live as long as it does."""
    with _MAKING:
        return _loop()


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    own = asyncio.new_event_loop()
    threading.Thread(target=own.run_forever, name="calls", daemon=True).start()
    return own


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work on the loop and return its result, from a thread that may wait."""
    return asyncio.run_coroutine_threadsafe(work, loop()).result()
