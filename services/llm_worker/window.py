"""How much may be lost: calls under way plus one flush of answers, over all of a process."""

import asyncio


class Window:
    """A slot is taken before a call and given back when its answer is committed.

    So a process that is killed has at most `in_flight + flush` answers to pay for again, however
    many batches it rates at once. When `flush` answers wait, every batch is told to commit.
    """

    def __init__(self, *, in_flight: int, flush: int) -> None:
        self._slots = asyncio.Semaphore(in_flight + flush)
        self._flush = flush
        self._waiting = 0
        self._bells: set[asyncio.Event] = set()

    def bell(self) -> asyncio.Event:
        """Return an event that is set when it is time to commit; `mute` it in the end."""
        event = asyncio.Event()
        self._bells.add(event)
        return event

    def mute(self, bell: asyncio.Event) -> None:
        """Ring this one no more."""
        self._bells.discard(bell)

    async def take(self) -> None:
        """Wait for a slot."""
        await self._slots.acquire()

    def answered(self) -> None:
        """Note that the call of a slot has ended and its answer waits for a commit."""
        self._waiting += 1
        if self._waiting >= self._flush:
            for bell in self._bells:
                bell.set()

    def committed(self, count: int) -> None:
        """Give back the slots of so many answers, committed or given up."""
        self._waiting -= count
        for _ in range(count):
            self._slots.release()

    def unused(self) -> None:
        """Give back a slot whose call has brought nothing."""
        self._slots.release()
