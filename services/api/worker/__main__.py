"""`python -m services.api.worker`: the worker of the queue ingest, and the timer."""

from typing import cast

from services.api.worker.app import main
from services.shared.log import Format, configure
from services.shared.settings import settings

configure("api-worker", level=settings().log_level, style=cast("Format", settings().log_format))
main()
