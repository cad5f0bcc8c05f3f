"""Structured logs: one JSON object a line, with request, run and task ids, without secrets.

    configure("api", level="INFO")
    with bound(request_id=request_id):
        get_logger().info("run_started", run_id=run_id)

The standard library's loggers (uvicorn, celery, sqlalchemy) go the same way. Celery must be told
to leave the root logger alone: `worker_hijack_root_logger = False`.
"""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from services.shared.redact import redact

Format = Literal["json", "console"]

_TAKEN_OVER = ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "celery.task", "kombu")


def configure(
    service: str, *, level: str = "INFO", style: Format = "json", stream: TextIO | None = None
) -> None:
    """Send everything that this process logs to `stream` (stderr) in one shape; repeatable.

    Raises ValueError on a level that logging does not know.
    """
    before = _before(service)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact,
                _renderer(style),
            ],
        )
    )
    root = logging.getLogger()
    root.setLevel(level.upper())
    root.handlers[:] = [handler]
    for name in _TAKEN_OVER:
        _take_over(logging.getLogger(name))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str = "winnow") -> FilteringBoundLogger:
    """Return a logger: an event's name in snake_case, then its fields by keyword."""
    return cast("FilteringBoundLogger", structlog.stdlib.get_logger(name))


def bound(**ids: object) -> AbstractContextManager[None]:
    """Add ids (request_id, run_id, task_id, …) to all that is logged inside a with block."""
    return bound_contextvars(**{name: str(value) for name, value in ids.items()})


def _before(service: str) -> list[Processor]:
    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # as text, so that it is scrubbed like any other
        name_service,
    ]


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> dict[str, Any]:
    return redact(event)


def _renderer(style: Format) -> Processor:
    if style == "console":
        return structlog.dev.ConsoleRenderer(colors=False)
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _take_over(logger: logging.Logger) -> None:
    logger.handlers.clear()
    logger.propagate = True
