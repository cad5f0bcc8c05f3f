"""The guard of every outgoing URL: resolved once, checked, and pinned to the address checked.

A caller connects to `PinnedTarget.address` and names `PinnedTarget.host` in TLS and the Host
header; resolving again would let a second DNS answer lead elsewhere. Redirects are not followed:
a new URL is a new question to this guard.
"""

import socket
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import idna

from services.shared.errors import OutgoingRefusedError, UnavailableError

PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class PinnedTarget:
    """A URL that may be called, and the one address to call it at."""

    url: str
    scheme: str
    host: str  # ASCII (IDNA) or a bare address, as TLS wants it
    port: int
    address: str
    target: str  # path and query of the request line

    @property
    def host_header(self) -> str:
        """Return the Host header: brackets around IPv6, the port unless it is the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if PORTS[self.scheme] == self.port else f"{host}:{self.port}"


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses in the system's order; OSError when there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def guard(
    url: str, *, allow: AbstractSet[str] = frozenset(), resolver: Resolver = resolve
) -> PinnedTarget:
    """Return where to connect; raises OutgoingRefusedError with a reason that names no address.

    `allow` lists the operator's exceptions as `host:port` or `[ipv6]:port`; an entry matches the
    URL's host or the address it resolves to. All other targets must be public, and one private
    address among several refuses the name. UnavailableError when the name does not resolve.
    """
    parts = _split(url)
    host, port = _ascii_host(parts), _port(parts)
    allowed = frozenset(entry.strip().lower() for entry in allow)
    addresses = _addresses(host, port, resolver)
    if _key(host, port) not in allowed:
        for address in addresses:
            if not _public(address) and _key(str(address), port) not in allowed:
                raise OutgoingRefusedError(
                    f"{_key(host, port)} is a private address that the operator has not listed."
                )
    return PinnedTarget(
        url=url,
        scheme=parts.scheme,
        host=host,
        port=port,
        address=str(addresses[0]),
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )


def _split(url: str) -> SplitResult:
    # urlsplit drops tabs and newlines silently: what is checked must be what is called
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in url):
        raise OutgoingRefusedError("The URL has a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise OutgoingRefusedError("The URL cannot be read.") from error
    if parts.scheme not in PORTS:
        raise OutgoingRefusedError("Only http and https URLs are called.")
    if "@" in parts.netloc:
        raise OutgoingRefusedError("A URL must not carry a user name or password.")
    return parts


def _ascii_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host or "%" in host:
        raise OutgoingRefusedError("The URL names no host.")
    if ":" in host:
        return host
    try:
        return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise OutgoingRefusedError("The URL's host is no valid name.") from error


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError as error:
        raise OutgoingRefusedError("The URL's port is no number up to 65535.") from error
    if port == 0:
        raise OutgoingRefusedError("Port 0 cannot be called.")
    return port or PORTS[parts.scheme]


def _addresses(host: str, port: int, resolver: Resolver) -> list[Address]:
    try:
        found = resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise UnavailableError(f"DNS of {host}") from error
    if not found:
        raise UnavailableError(f"DNS of {host}")
    return [ip_address(address.partition("%")[0]) for address in found]


def _public(address: Address) -> bool:
    """Say whether an address is on the open internet, also when IPv4 hides in IPv6."""
    inner = _embedded(address)
    if inner is not None:
        return _public(inner)
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def _key(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
