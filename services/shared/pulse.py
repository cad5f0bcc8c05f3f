"""A worker's sign of life: a file that it touches for as long as it takes messages.

The file is touched by the loop that reads from the broker, not by a thread beside it: it grows
old when that loop hangs, and is removed while the broker is away. `services/shared/probe.py` reads
it; `WINNOW_PULSE_FILE` names it, and without a name there is none.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import bootsteps

from services.shared.log import get_logger
from services.shared.settings import settings

log = get_logger(__name__)

SECONDS = 5.0


class Pulse(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """A step of the consumer: begins after its queues are consumed, ends when they are not."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:  # noqa: ANN401 - Celery's signature
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._file = settings().pulse_file

    def include_if(self, _consumer: Any) -> bool:  # noqa: ANN401 - Celery's signature
        """Say whether a file is named at all."""
        return settings().pulse_file is not None

    def start(self, consumer: Any) -> None:  # noqa: ANN401 - Celery's signature
        """Touch the file now and every few seconds."""
        self._touch()
        self._timer = consumer.timer.call_repeatedly(SECONDS, self._touch)

    def stop(self, _consumer: Any) -> None:  # noqa: ANN401 - Celery's signature
        """The broker is away, or the worker ends: no file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()

    def _touch(self) -> None:
        if self._file is None:
            return
        try:
            _write(self._file)
        except OSError as error:  # a full disk: the file grows old, the work goes on
            log.warning("pulse_not_written", error=type(error).__name__)


def _write(file: Path) -> None:
    """Write our pid beside the file and move it there: a reader sees all of it or none."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(f"{os.getpid()}\n", encoding="ascii")
    draft.replace(file)
