"""Ports and addresses that the caller has set, checked before anything is started."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from winnow.errors import SettingError

PORTS = ("WINNOW_API_PORT", "WINNOW_LOCAL_LLM__PORT", "WINNOW_SCORER_PORT")
LOCAL = ("http://127.0.0.1:8090/v1", "the local endpoint")
URLS = {
    "WINNOW_LLM__BASE_URL": LOCAL,
    "WINNOW_EMBEDDER__BASE_URL": LOCAL,
    "WINNOW_SCORER_URL": ("http://127.0.0.1:8070", "the stack's own scorer"),
}
"""By variable: an address as it should be, and what stands there by default."""
LARGEST_PORT = 65535


def require_valid(given: Mapping[str, str]) -> None:
    """Raise SettingError if a port is none, or an endpoint's address has no scheme or host."""
    for name in PORTS:
        if name in given and not _is_port(given[name]):
            raise SettingError(
                f"{name} is {given[name]!r}: give a number from 1 to {LARGEST_PORT}, or leave it "
                "unset for a free port."
            )
    for name, (example, default) in URLS.items():
        if name in given and not _is_http(given[name]):
            # Not quoted: an address may hold a password.
            raise SettingError(
                f"{name} is no http or https address: give one such as {example}, "
                f"or leave it unset for {default}."
            )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= LARGEST_PORT


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
