"""Name resolution under the outgoing guard: every new connection asks it again."""

import asyncio
import socket
from collections.abc import Set as AbstractSet

from aiohttp.abc import AbstractResolver, ResolveResult

from services.shared.errors import WinnowError
from services.shared.outgoing import guard


class GuardedResolver(AbstractResolver):
    """Gives the connector the one address that the guard has checked, and no other.

    Host header and TLS keep the name, since only the resolution is ours. A name that has moved
    to a private address is, from then on, a connection that fails.
    """

    def __init__(self, url: str, allow: AbstractSet[str]) -> None:
        self._url = url
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the checked address; OSError where there is none that may be called."""
        del family  # the guard checks one address, of whichever family it is
        try:
            target = await asyncio.to_thread(guard, self._url, allow=self._allow)
        except WinnowError as error:
            raise OSError(error.detail) from error
        return [
            ResolveResult(
                hostname=host,
                host=target.address,
                port=port,
                family=socket.AF_INET6 if ":" in target.address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Hold nothing, close nothing."""
