"""A TCP proxy before Postgres, Valkey or an endpoint that a test can cut and heal."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Passes bytes both ways while `whole`; `cut` ends every connection and refuses new ones."""

    def __init__(self, host: str, port: int) -> None:
        self.whole = True
        self.port = 0
        self._upstream = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()

    @classmethod
    @contextmanager
    def before(cls, host: str, port: int) -> Iterator["Proxy"]:
        """Listen on loopback, in a thread, until the block ends."""
        proxy, ready = cls(host, port), threading.Event()
        thread = threading.Thread(target=proxy._serve, args=(ready,), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield proxy
        finally:
            proxy.cut()
            proxy._loop.call_soon_threadsafe(proxy._loop.stop)
            thread.join()

    def cut(self) -> None:
        """End every connection; new ones are closed at once."""
        self.whole = False
        self._loop.call_soon_threadsafe(self._end_all)

    def heal(self) -> None:
        """Let new connections through again."""
        self.whole = True

    def _end_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    def _serve(self, ready: threading.Event) -> None:
        start = asyncio.start_server(self._pass, "127.0.0.1", 0)
        server = self._loop.run_until_complete(start)
        self.port = server.sockets[0].getsockname()[1]
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.whole:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        both = {writer, up_writer}
        self._open |= both
        try:
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        finally:
            self._open -= both
            for one in both:
                one.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()
