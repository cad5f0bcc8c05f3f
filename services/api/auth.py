"""Who calls: `wn_<prefix>_<secret>` keys, looked up by prefix, compared in constant time."""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Literal, cast
from uuid import UUID

from services.shared.clock import utc_now
from services.shared.db.repos import keys
from services.shared.db.repos.audit import Actor
from services.shared.db.session import unit_of_work
from services.shared.errors import ForbiddenError, UnauthenticatedError
from services.shared.settings import settings

Role = Literal["admin", "write", "read", "operator"]
RANK: dict[Role, int] = {"read": 1, "write": 2, "admin": 3}
CALLER = "winnow.caller"  # where the gate leaves the caller in an ASGI scope
CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000


@dataclass(frozen=True)
class Caller:
    """A key's holder; the operator belongs to no project and sees none by itself."""

    role: Role
    project_id: UUID | None = None
    key_id: UUID | None = None
    key_name: str | None = None
    key_prefix: str | None = None

    def actor(self) -> Actor:
        """Return the caller as the audit log names them: never by the key's secret."""
        if self.role == "operator":
            return Actor(kind="operator")
        return Actor(
            kind="key", key_id=self.key_id, key_name=self.key_name, key_prefix=self.key_prefix
        )

    def require(self, role: Role) -> UUID:
        """Return the caller's project; ForbiddenError unless its role reaches `role`."""
        if self.project_id is None:
            raise ForbiddenError("The operator key opens projects and keys only.")
        if RANK[self.role] < RANK[role]:
            raise ForbiddenError(f"This needs a key with the role {role}.")
        return self.project_id


@dataclass(frozen=True)
class _Known:
    caller: Caller
    secret_sha256: bytes
    expires_at: datetime | None
    read_at: float


class Keyring:
    """Looks keys up and remembers them for five seconds: a revoked key works that long at most."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._lock = Lock()

    def remembered(self, header: str) -> Caller | None:
        """Return the caller if no look-up is needed; UnauthenticatedError if the secret is wrong.

        Never blocks, so the event loop may call it.
        """
        token = _bearer(header)
        if _is_operator(token):
            return Caller("operator")
        prefix, secret = _parts(token)
        known = self._known.get(prefix)
        if known is None or time.monotonic() - known.read_at > CACHE_SECONDS:
            return None
        return _checked(known, secret)

    def look_up(self, header: str) -> Caller:
        """Return the caller from the database; UnauthenticatedError when the key opens nothing."""
        prefix, secret = _parts(_bearer(header))
        with unit_of_work() as session:
            row = keys.authenticate(session, prefix)
        if row is None or row.revoked_at is not None:
            self.forget(prefix)
            raise UnauthenticatedError
        caller = Caller(cast("Role", row.role), row.project_id, row.id, row.name, prefix)
        known = _Known(caller, bytes(row.secret_sha256), row.expires_at, time.monotonic())
        with self._lock:
            if len(self._known) >= CACHE_SIZE:
                self._known.clear()
            self._known[prefix] = known
        return _checked(known, secret)

    def forget(self, prefix: str) -> None:
        """Ask the database next time, as after a revocation."""
        with self._lock:
            self._known.pop(prefix, None)


def new_secret() -> tuple[str, str, bytes]:
    """Return a new key's prefix, its text `wn_…` and the SHA-256 of its 256-bit secret."""
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    return prefix, f"wn_{prefix}_{secret}", _sha256(secret)


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError
    return token.strip()


def _parts(token: str) -> tuple[str, str]:
    start, _, rest = token.partition("_")
    prefix, _, secret = rest.partition("_")
    if start != "wn" or not (prefix.isascii() and prefix.isalnum()) or not secret:
        raise UnauthenticatedError
    return prefix, secret


def _is_operator(token: str) -> bool:
    key = settings().operator_key
    return key is not None and hmac.compare_digest(_sha256(token), _sha256(key.get_secret_value()))


def _checked(known: _Known, secret: str) -> Caller:
    expired = known.expires_at is not None and known.expires_at <= utc_now()
    if not hmac.compare_digest(known.secret_sha256, _sha256(secret)) or expired:
        raise UnauthenticatedError
    return known.caller


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
