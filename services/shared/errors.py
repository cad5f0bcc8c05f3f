"""Domain errors: what went wrong, in words the api turns into answers; no status code below it.

Every error carries a `code` (UPPER_SNAKE, for programs), a `detail` (one sentence, for people)
and `errors`, the single faults where there are several. `services.api.errors` holds the one
table from these classes to HTTP; workers read `retry_after` and the class.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault within a request: where (`pointer`, RFC 6901) and, for bulk bodies, which row."""

    code: str
    detail: str
    pointer: str | None = None
    index: int | None = None

    def to_dict(self) -> dict[str, str | int]:
        """Return the fields that are set, in the shape of the api's `errors[]`."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class WinnowError(Exception):
    """The root of the tree; anything else that escapes is a bug."""

    code = "INTERNAL"

    def __init__(
        self, detail: str, *, code: str | None = None, errors: Sequence[Fault] = ()
    ) -> None:
        super().__init__(detail)
        self.code = code or type(self).code
        self.detail = detail
        self.errors = list(errors)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class MalformedError(WinnowError):
    """The bytes are not what they claim to be: broken JSON, CSV, gzip, UTF-8."""

    code = "MALFORMED"


class InvalidError(WinnowError):
    """Well-formed but wrong; `pointer` says where, `detail` says what would be right."""

    code = "INVALID"

    def __init__(
        self,
        detail: str,
        *,
        pointer: str | None = None,
        code: str | None = None,
        errors: Sequence[Fault] = (),
    ) -> None:
        own = code or type(self).code
        faults = list(errors) or [Fault(code=own, detail=detail, pointer=pointer)]
        super().__init__(detail, code=own, errors=faults)
        self.pointer = pointer


class IdempotencyMismatchError(InvalidError):
    """The same Idempotency-Key came with another body."""

    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self, detail: str = "This Idempotency-Key was used with another body.") -> None:
        super().__init__(detail)


class UnauthenticatedError(WinnowError):
    """No key, or one that is wrong, expired or revoked; the detail never says which."""

    code = "UNAUTHENTICATED"

    def __init__(self, detail: str = "A valid API key is required.") -> None:
        super().__init__(detail)


class ForbiddenError(WinnowError):
    """The key is good but its role does not allow this."""

    code = "FORBIDDEN"


class NotFoundError(WinnowError):
    """No such thing in this project; the same words when it is another project's."""

    code = "NOT_FOUND"

    def __init__(self, kind: str, ident: object) -> None:
        super().__init__(f"There is no {kind} {str(ident)!r}.")
        self.kind = kind
        self.ident = ident


class ConflictError(WinnowError):
    """The state of the thing forbids this now: a name taken, a job already ended."""

    code = "CONFLICT"


class TooLargeError(WinnowError):
    """Over a published limit; `detail` names the limit."""

    code = "TOO_LARGE"


class UnsupportedMediaError(WinnowError):
    """A content type or encoding that is not read here; `detail` lists those that are."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class LimitedError(WinnowError):
    """Too many requests; come back after `retry_after` seconds."""

    code = "RATE_LIMITED"

    def __init__(self, detail: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class UnavailableError(WinnowError):
    """A dependency (Postgres, Valkey, the LLM) is away; come back after `retry_after` seconds."""

    code = "UNAVAILABLE"

    def __init__(
        self, dependency: str, *, retry_after: float = 5.0, detail: str | None = None
    ) -> None:
        super().__init__(detail or f"{dependency} is unavailable.")
        self.dependency = dependency
        self.retry_after = retry_after


class OutgoingRefusedError(WinnowError):
    """A URL that this installation may not call; see `services.shared.outgoing`."""

    code = "OUTGOING_REFUSED"


class UnparsableReplyError(WinnowError):
    """An LLM's reply is no answer under the schema; it is retried, then recorded as unparsed."""

    code = "UNPARSABLE_REPLY"


class BudgetExceededError(WinnowError):
    """The run's budget has no room for the next batch."""

    code = "BUDGET_EXCEEDED"


class ArtifactCorruptError(WinnowError):
    """A stored file is missing, cut short or altered; `file` names it."""

    code = "ARTIFACT_CORRUPT"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file = file


class DiskFullError(WinnowError):
    """A disk has no room; `detail` names the setting, `needs` is how many bytes must be free."""

    code = "DISK_FULL"

    def __init__(self, detail: str, *, needs: int) -> None:
        super().__init__(detail)
        self.needs = needs


class RetryLaterError(WinnowError):
    """A task met a passing trouble: send it again after `retry_after` seconds."""

    code = "RETRY_LATER"

    def __init__(self, detail: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class LeaseLostError(WinnowError):
    """Another worker holds a newer token: stop and write nothing more."""

    code = "LEASE_LOST"


class JobPausedError(WinnowError):
    """Somebody asked the job to wait: keep what is done, begin nothing more."""

    code = "PAUSED"


class JobCancelledError(WinnowError):
    """Somebody asked the job to stop; not to be mixed with asyncio's or Celery's own."""

    code = "CANCELLED"
